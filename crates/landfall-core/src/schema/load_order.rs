//! The order in which tables load: parents before the tables that refer to them.

use super::{Package, TableIndex};

impl Package {
    /// The tables in the order in which they load: a table comes after every table that its foreign keys refer to, and
    /// otherwise in the order of the descriptor. Tables that refer to each other in a circle form one group; the others are
    /// groups of one.
    #[must_use]
    pub fn load_order(&self) -> Vec<Vec<TableIndex>> {
        let parents = self.parent_positions();
        let above: Vec<Vec<bool>> = self.table_positions().map(|table| find_ancestors(table, &parents)).collect();
        let mut done = vec![false; parents.len()];
        let mut order = Vec::new();
        while let Some(group) = self.next_load_group(&above, &done) {
            group.iter().for_each(|table| done[table.get()] = true);
            order.push(group);
        }
        order
    }

    /// For each table those that it refers to.
    fn parent_positions(&self) -> Vec<Vec<TableIndex>> {
        let of = |keys: &[super::ForeignKey]| keys.iter().filter_map(|key| self.table_position(&key.parent)).collect();
        self.resources.iter().map(|resource| of(&resource.schema.foreign_keys)).collect()
    }

    /// The first table, with those in a circle with it, whose parents outside the circle are all done. `above` tells for each
    /// table which ones are its ancestors.
    fn next_load_group(&self, above: &[Vec<bool>], done: &[bool]) -> Option<Vec<TableIndex>> {
        let is_above = |ancestor: TableIndex, table: TableIndex| above[table.get()][ancestor.get()];
        // A table that refers to itself alone is in no circle with others, and is loaded alone.
        let in_circle = |a: TableIndex, b: TableIndex| a == b || (is_above(a, b) && is_above(b, a));
        let is_ready = |table: &TableIndex| {
            let mut waits_for = self.table_positions().filter(|&up| is_above(up, *table) && !in_circle(*table, up));
            !done[table.get()] && waits_for.all(|up| done[up.get()])
        };
        // The first ready one, so that tables without keys keep the order of the descriptor.
        let first = self.table_positions().find(is_ready)?;
        Some(self.table_positions().filter(|&table| in_circle(first, table)).collect())
    }
}

/// Which tables stand above `start`, directly or not.
fn find_ancestors(start: TableIndex, parents: &[Vec<TableIndex>]) -> Vec<bool> {
    // Without this list, a circle of keys would be followed forever.
    let mut seen = vec![false; parents.len()];
    let mut open = vec![start];
    while let Some(table) = open.pop() {
        for &parent in &parents[table.get()] {
            if !seen[parent.get()] {
                seen[parent.get()] = true;
                open.push(parent);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::schema::{Dialect, Encoding, FieldIndex, ForeignKey, Package, Resource, TableSchema};

    /// A package from lines such as `child: parent parent`.
    fn package(tables: &[(&str, &[&str])]) -> Package {
        let key = |parent: &&str| ForeignKey {
            fields: vec![FieldIndex::from(0)],
            parent: Arc::from(*parent),
            parent_fields: vec![],
        };
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

    /// The load order of `package` as numbers.
    fn order_of(package: &Package) -> Vec<Vec<usize>> {
        package.load_order().iter().map(|group| group.iter().map(|table| table.get()).collect()).collect()
    }

    #[test]
    fn parents_come_first_and_the_rest_keeps_its_order() {
        let package = package(&[("hired", &["departments", "jobs"]), ("z", &[]), ("departments", &[]), ("jobs", &[])]);
        assert_eq!(order_of(&package), [[1], [2], [3], [0]]);
    }

    #[test]
    fn a_table_may_refer_to_itself() {
        let package = package(&[("staff", &["staff", "units"]), ("units", &[])]);
        assert_eq!(order_of(&package), [[1], [0]]);
    }

    #[test]
    fn a_circle_is_one_group_between_its_parents_and_children() {
        let package = package(&[("leaf", &["b"]), ("a", &["b"]), ("b", &["c", "root"]), ("c", &["a"]), ("root", &[])]);
        assert_eq!(order_of(&package), [vec![4], vec![1, 2, 3], vec![0]]);
    }

    #[test]
    fn no_tables_have_no_order() {
        assert!(Package::default().load_order().is_empty());
    }
}
