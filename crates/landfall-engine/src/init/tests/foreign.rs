//! Foreign keys, and what is none.

use landfall_core::schema::Package;

use super::{folder, loaded, proposal};

/// The foreign keys of all tables, as `child.field -> parent.field`, and the text of the data package.
fn found(files: &[(&str, &str)]) -> (Vec<String>, String) {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let folder = folder(&files);
    let (proposal, package) = proposal(folder.path());
    let outcomes = loaded(folder.path(), &package);
    assert!(outcomes.iter().all(|outcome| outcome.counts.rejected == 0), "{}", proposal.package_yaml);
    (list_keys(&package), proposal.package_yaml)
}

fn list_keys(package: &Package) -> Vec<String> {
    let mut keys = Vec::new();
    for resource in &package.resources {
        for key in &resource.schema.foreign_keys {
            let field = &resource.schema[key.fields[0]].name;
            keys.push(format!("{}.{field} -> {}.{}", resource.name, key.parent, key.parent_fields[0]));
        }
    }
    keys
}

#[test]
fn a_foreign_key_needs_values_and_a_name() {
    let folder = folder(&[
        ("countries.csv", b"code,name\nDE,Germany\nFR,France\n"),
        ("cities.csv", b"id,name,country_code,mayor_id,parent_id\n1,Rome,IT,7,\n2,Nice,FR,8,1\n3,Lyon,FR,7,1\n"),
        ("mayors.csv", b"id,name,country\n7,A,FR\n8,B,DE\n"),
    ]);
    let (proposal, package) = proposal(folder.path());
    let parents = |at: usize| -> Vec<(usize, String)> {
        let keys = &package.resources[at].schema.foreign_keys;
        keys.iter().map(|key| (key.fields[0].get(), key.parent.to_string())).collect()
    };
    assert_eq!(&*package.resources[0].name, "cities");
    assert_eq!(parents(0), [(3, "mayors".into()), (4, "cities".into())], "{}", proposal.package_yaml);
    assert_eq!(parents(2), [(2, "countries".into())]);
    assert!(proposal.package_yaml.contains("not a foreign key, though the name of country_code"));
    let inserted: u64 = loaded(folder.path(), &package).iter().map(|outcome| outcome.counts.inserted).sum();
    assert_eq!(inserted, 7);
}

#[test]
fn names_without_underscores_are_understood() {
    let (keys, yaml) = found(&[
        ("kunden.csv", "Kundennr;Name\n1;Al\n2;Bo\n3;Cy\n"),
        ("auftrag.csv", "Nr;Kundennr\n1;1\n2;1\n3;3\n"),
        ("artikel.csv", "sku,text\nA-1,x\nB-2,y\nC-3,z\n"),
        ("lager.csv", "regal,sku\n1,A-1\n2,A-1\n3,C-3\n"),
    ]);
    assert_eq!(keys, ["auftrag.Kundennr -> kunden.Kundennr", "lager.sku -> artikel.sku"], "{yaml}");
}

#[test]
fn values_tell_where_names_are_of_another_language() {
    let (keys, yaml) = found(&[
        ("equipos.csv", "codigo,nombre\nFCB,Barcelona\nRMA,Madrid\nATM,Atletico\nSEV,Sevilla\n"),
        ("players.csv", "id,name,team\n1,Al,FCB\n2,Bo,RMA\n3,Cy,FCB\n4,Di,SEV\n5,Ed,SEV\n"),
    ]);
    assert_eq!(keys, ["players.team -> equipos.codigo"], "{yaml}");
    assert!(
        yaml.contains("all 5 values are keys of equipos, and 3 of its 4 keys occur; the values alone say so"),
        "{yaml}"
    );
}

#[test]
fn small_numbers_are_no_foreign_keys() {
    let (keys, yaml) = found(&[
        ("products.csv", "id,name,stars\n1,A,5\n2,B,3\n3,C,4\n4,D,5\n5,E,1\n6,F,2\n"),
        ("visits.csv", "id,quantity,rooms,level\n1,1,2,1\n2,2,3,2\n3,3,3,3\n4,1,4,1\n5,2,5,6\n6,5,6,4\n"),
    ]);
    assert!(keys.is_empty(), "{yaml}");
    assert!(!yaml.contains("perhaps a foreign key"), "{yaml}");
}

#[test]
fn a_table_without_a_key_gets_one_that_others_refer_to() {
    let (keys, yaml) = found(&[
        ("teams.csv", "name,city\nReal Madrid,Madrid\nFC Porto,Porto\nAjax Club,Amsterdam\nMan City,Leeds\n"),
        (
            "games.csv",
            "id,home_team,away_team\n1,FC Porto,Ajax Club\n2,Ajax Club,Real Madrid\n3,Real Madrid,FC Porto\n4,FC Porto,Real Madrid\n",
        ),
    ]);
    assert_eq!(keys, ["games.home_team -> teams.name", "games.away_team -> teams.name"], "{yaml}");
}

#[test]
fn nearly_all_values_are_a_comment_with_the_others() {
    let mut orders = String::from("id,client\n");
    (0..30).for_each(|at| {
        orders.push_str(&format!("{at},{}\n", if at == 7 { "X-9".into() } else { format!("K-{}", at % 6) }))
    });
    let clients: String = (0..6).map(|at| format!("K-{at},Name{at}\n")).collect();
    let (keys, yaml) = found(&[("clients.csv", &format!("code,name\n{clients}")), ("orders.csv", &orders)]);
    assert!(keys.is_empty(), "{yaml}");
    assert!(yaml.contains("perhaps a foreign key: client: 29 of 30 values are keys of clients"), "{yaml}");
    assert!(yaml.contains("(line 9)") && yaml.contains("# - {fields: [client]"), "{yaml}");
}
