//! The order in which tables load: parents before the tables that refer to them.

use super::Package;

impl Package {
    /// The positions of the resources in the order in which they load: a table comes after every table that its foreign
    /// keys refer to, and otherwise in the order of the descriptor. Tables that refer to each other in a circle form one
    /// group; the others are groups of one.
    #[must_use]
    pub fn load_order(&self) -> Vec<Vec<usize>> {
        let parents = self.parent_positions();
        let above: Vec<Vec<bool>> = (0..parents.len()).map(|at| find_ancestors(at, &parents)).collect();
        let mut done = vec![false; parents.len()];
        let mut order = Vec::new();
        while let Some(group) = next_load_group(&above, &done) {
            group.iter().for_each(|&at| done[at] = true);
            order.push(group);
        }
        order
    }

    /// For each resource the positions of those that it refers to.
    fn parent_positions(&self) -> Vec<Vec<usize>> {
        let position = |name: &str| self.resources.iter().position(|resource| &*resource.name == name);
        let of = |keys: &[super::ForeignKey]| keys.iter().filter_map(|key| position(&key.parent)).collect();
        self.resources.iter().map(|resource| of(&resource.schema.foreign_keys)).collect()
    }
}

/// Which resources stand above `start`, directly or not.
fn find_ancestors(start: usize, parents: &[Vec<usize>]) -> Vec<bool> {
    let mut seen = vec![false; parents.len()];
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for &parent in &parents[at] {
            if !seen[parent] {
                seen[parent] = true;
                open.push(parent);
            }
        }
    }
    seen
}

/// The first resource, with those in a circle with it, whose parents outside the circle are all done.
fn next_load_group(above: &[Vec<bool>], done: &[bool]) -> Option<Vec<usize>> {
    let all = 0..above.len();
    let in_circle = |a: usize, b: usize| a == b || (above[a][b] && above[b][a]);
    let ready = |at: &usize| !done[*at] && all.clone().all(|up| !above[*at][up] || done[up] || in_circle(*at, up));
    let first = all.clone().find(ready)?;
    Some(all.filter(|&at| in_circle(first, at)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::schema::{Dialect, Encoding, ForeignKey, Package, Resource, TableSchema};

    /// A package from lines such as `child: parent parent`.
    fn package(tables: &[(&str, &[&str])]) -> Package {
        let key = |parent: &&str| ForeignKey { fields: vec![0], parent: Arc::from(*parent), parent_fields: vec![] };
        let resource = |(name, parents): &(&str, &[&str])| Resource {
            name: Arc::from(*name),
            title: None,
            description: None,
            paths: Vec::new(),
            dialect: Dialect::default(),
            encoding: Encoding::Utf8,
            schema: TableSchema { foreign_keys: parents.iter().map(key).collect(), ..TableSchema::default() },
        };
        Package { name: None, resources: tables.iter().map(resource).collect() }
    }

    #[test]
    fn parents_come_first_and_the_rest_keeps_its_order() {
        let package = package(&[("hired", &["departments", "jobs"]), ("z", &[]), ("departments", &[]), ("jobs", &[])]);
        assert_eq!(package.load_order(), [[1], [2], [3], [0]]);
    }

    #[test]
    fn a_table_may_refer_to_itself() {
        let package = package(&[("staff", &["staff", "units"]), ("units", &[])]);
        assert_eq!(package.load_order(), [[1], [0]]);
    }

    #[test]
    fn a_circle_is_one_group_between_its_parents_and_children() {
        let package = package(&[("leaf", &["b"]), ("a", &["b"]), ("b", &["c", "root"]), ("c", &["a"]), ("root", &[])]);
        assert_eq!(package.load_order(), [vec![4], vec![1, 2, 3], vec![0]]);
    }

    #[test]
    fn no_tables_have_no_order() {
        assert!(Package::default().load_order().is_empty());
    }
}
