//! Whole loads: every target gives the answer that the plain one in memory gives, however the work is cut.

mod answer;
mod leftovers;
mod project;
mod races;
mod random;
mod regressions;
mod same_answer;
mod ways;
