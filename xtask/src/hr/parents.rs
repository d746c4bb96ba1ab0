//! The departments and jobs of a harbour that does not exist.

/// The departments; their ids are their positions, counted from 1.
pub(crate) const DEPARTMENTS: [&str; 12] = [
    "Charts",
    "Harbour Office",
    "Sails, Ropes and Knots",
    "Lighthouses",
    "Cargo",
    "Ship's Kitchen",
    "Pilots",
    "Customs",
    "Weather",
    "Dry Dock",
    "Buoys and Beacons",
    "Archive",
];

/// How often each department hires.
pub(crate) const HIRES: [usize; 12] = [30, 24, 21, 18, 15, 12, 9, 7, 5, 4, 2, 1];

/// The number of jobs.
pub(crate) const JOB_COUNT: usize = 183;

const ROLES: [&str; 27] = [
    "Anchor Watch",
    "Ballast Reckoner",
    "Buoy Keeper",
    "Cable Splicer",
    "Cargo Tallier",
    "Chart Maker",
    "Crane Whisperer",
    "Current Surveyor",
    "Deck Planner",
    "Fog Horn Tuner",
    "Galley Chemist",
    "Hull Painter",
    "Knot Examiner",
    "Lamp Trimmer",
    "Lock Keeper",
    "Log Book Clerk",
    "Manifest Auditor",
    "Net Mender",
    "Pilot",
    "Quay Gardener",
    "Rigging Engineer",
    "Rope Inspector",
    "Sail Tailor",
    "Sextant Mechanic",
    "Signal Reader",
    "Tide Forecaster",
    "Wharf Archivist",
];

const RANKS: [&str; 7] = ["", "Apprentice ", "Assistant ", "Senior ", "Chief ", "Deputy ", "Night "];

/// Jobs that are hard to sort, quote or print.
const SPECIAL: [&str; 4] =
    ["e-Chart Maker", "Éclusier", "Cook, \"Sunday\" Shift", "Sworn Weigher and Measurer of Coal, Corn, Salt and Cider"];

/// The jobs; their ids are their positions, counted from 1.
pub(crate) fn job_names() -> Vec<String> {
    let ranked = ROLES.iter().flat_map(|role| RANKS.iter().map(move |rank| format!("{rank}{role}")));
    ranked.take(JOB_COUNT - SPECIAL.len()).chain(SPECIAL.map(String::from)).collect()
}
