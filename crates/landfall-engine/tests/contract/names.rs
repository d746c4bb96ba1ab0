//! Names of tables and fields that a database might trip over.

use crate::{
    ground::Ground,
    tables::{content, fields_at, insert, prepared, resource, row, tables, within},
};

const NAMES: [&str; 14] = [
    "select",
    "Order",
    "GROUP",
    "user",
    "two words",
    " padded",
    "it's",
    "say \"hi\"",
    "back`tick",
    "größe",
    "表",
    "semi;colon",
    "per%cent",
    "dot.ted",
];

fn any_name_is_a_table_and_a_field(ground: &Ground) {
    for name in NAMES {
        let quoted = name.replace('\'', "''");
        let parent = format!(
            "{{fields: [{{name: '{quoted}', type: integer}}, {{name: other, type: string}}], primaryKey: '{quoted}', \
             uniqueKeys: [[other]]}}"
        );
        let child = format!(
            "{{fields: [{{name: id, type: integer}}, {{name: '{quoted}', type: integer}}], primaryKey: id, \
             foreignKeys: [{{fields: '{quoted}', reference: {{resource: '{quoted}', fields: '{quoted}'}}}}]}}"
        );
        let child_name = format!("{name} child");
        let both = tables(&format!("{}{}", resource(name, &parent), resource(&child_name, &child)));
        let [parent, child] = &both[..] else { panic!("{name}") };
        let mut target = prepared(ground, &both);
        target.prepare_tables(&both).unwrap();
        assert_eq!(target.find_differences(&both).unwrap(), [], "{name}");
        within(&mut *target, |transaction| {
            assert_eq!(insert(transaction, parent, &[row![1, "a"], row![2, "b"]]), []);
            assert_eq!(insert(transaction, child, &[row![7, 2]]), []);
            let batch = crate::tables::batch(parent, &[row![1, "changed"]]);
            assert_eq!(transaction.update_rows(parent, &batch, &[0], &fields_at([1])).unwrap(), []);
            transaction.hold_parents(child, parent, &fields_at([0]), &[row![2]]).unwrap();
            assert_eq!(transaction.find_orphans(&[parent, child], &[]).unwrap(), Vec::<String>::new());
        });
        assert_eq!(content(&*target, parent), [row![1, "changed"], row![2, "b"]], "{name}");
        assert_eq!(target.find_row(child, &fields_at([1]), &row![2]).unwrap(), Some(row![7, 2]), "{name}");
        within(&mut *target, |transaction| transaction.delete_rows(child).unwrap());
        assert_eq!(target.row_count(child).unwrap(), 0, "{name}");
    }
}

fn as_many_fields_as_a_database_takes(ground: &Ground) {
    let names: Vec<String> = (0..300).map(|at| format!("{{name: f{at}, type: integer}}")).collect();
    let wide = tables(&resource("wide", &format!("{{fields: [{}], primaryKey: f0}}", names.join(", ")))).remove(0);
    let mut target = prepared(ground, std::slice::from_ref(&wide));
    let rows: Vec<_> =
        (0..20).map(|id| (0..300).map(|at| crate::tables::Value::scalar(id * 1000 + at)).collect()).collect();
    within(&mut *target, |transaction| assert_eq!(insert(transaction, &wide, &rows), []));
    assert_eq!(target.find_row(&wide, &fields_at([0]), &row![7000]).unwrap().as_ref(), rows.get(7));
}

contract! { any_name_is_a_table_and_a_field, as_many_fields_as_a_database_takes }
