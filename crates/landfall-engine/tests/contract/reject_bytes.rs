//! The bytes that open rejects take, as they are bounded for all loads of a project.

use landfall_core::reject::ErrorCode;
use landfall_engine::{
    ledger::LoadId,
    quarantine::{NewReject, RawRecord, Reject, RejectId},
    targets::{Target, TargetAccess, TargetRead, open},
};

use crate::{
    ground::Ground,
    quarantine::{any, load, reject},
    tables::{people, prepared, within},
};

/// A short reject, one whose bytes are in several parts, and one whose bytes come later.
fn add_rejects(target: &mut dyn Target) -> LoadId {
    let (number, table) = (load(target, "people"), people());
    let large = NewReject { raw: RawRecord::Whole(vec![b'x'; 100_000]), ..reject(2, &[ErrorCode::TypeError]) };
    let long = NewReject { raw: RawRecord::Long(200_000), ..reject(3, &[ErrorCode::RecordTooLong]) };
    within(target, |transaction| {
        transaction.add_rejects(number, &table, &[reject(1, &[ErrorCode::TypeError])]).unwrap();
        transaction.add_reject(number, &table, &large).unwrap();
        let long = transaction.add_reject(number, &table, &long).unwrap();
        (0..).zip(vec![b'y'; 200_000].chunks(Reject::RAW_LIMIT)).for_each(|(part, bytes)| {
            transaction.append_reject_bytes(long, part, bytes).unwrap();
        });
    });
    number
}

#[track_caller]
fn assert_about(read: &dyn TargetRead, bytes: u64) {
    let sum = read.open_reject_bytes().unwrap();
    assert!((bytes..bytes + 2000).contains(&sum), "{sum} and not about {bytes}");
}

fn bytes_are_of_all_rejects_that_are_open(ground: &Ground) {
    let mut target = prepared(ground, &[people()]);
    assert_eq!(target.open_reject_bytes().unwrap(), 0);
    let number = add_rejects(&mut *target);
    assert_about(&*target, 300_000);
    let ids: Vec<RejectId> = target.find_rejects(&any()).unwrap().iter().map(|reject| reject.id).collect();
    within(&mut *target, |transaction| {
        transaction.release_reject(ids[1], number, None).unwrap();
        assert_about(&*transaction, 200_000);
    });
    within(&mut *target, |transaction| assert!(transaction.discard_reject(ids[2], number, "r").unwrap()));
    assert_about(&*target, 0);
    assert!(target.open_reject_bytes().unwrap() > 50);
}

contract! { bytes_are_of_all_rejects_that_are_open }

/// A database that was made before rejects had their bytes beside them; on MySQL, also where the upgrade died in its middle.
fn a_database_of_before_learns_the_bytes_of_its_rejects(ground: &Ground) {
    let mut target = prepared(ground, &[people()]);
    add_rejects(&mut *target);
    drop(target);
    let own = ground.own();
    let is_mysql = ground.location().to_string().starts_with("mysql");
    // The versions after it.
    let mut after = match own {
        "landfall." => [
            "DROP INDEX landfall.loads_source, landfall.loads_size, landfall.loads_digest, landfall.loads_replace, \
             landfall.loads_resumable",
            "ALTER TABLE landfall.loads DROP COLUMN origin",
        ]
        .to_vec(),
        _ if is_mysql => ["ALTER TABLE landfall_loads DROP COLUMN origin, DROP INDEX landfall_loads_source, \
             DROP INDEX landfall_loads_size, DROP INDEX landfall_loads_digest, DROP INDEX landfall_loads_mode"]
        .to_vec(),
        _ => [
            "DROP INDEX landfall_loads_source",
            "DROP INDEX landfall_loads_size",
            "DROP INDEX landfall_loads_digest",
            "DROP INDEX landfall_loads_replace",
            "DROP INDEX landfall_loads_resumable",
            "ALTER TABLE landfall_loads DROP COLUMN origin",
        ]
        .to_vec(),
    };
    let jobs = [format!("DROP TABLE {own}jobs"), format!("DROP TABLE {own}job_claims")];
    after.extend(jobs.iter().map(String::as_str));
    let index = match own {
        "landfall." => "DROP INDEX landfall.rejects_state",
        _ if is_mysql => "DROP INDEX landfall_rejects_state ON landfall_rejects",
        _ => "DROP INDEX landfall_rejects_state",
    };
    let column = format!("ALTER TABLE {own}rejects DROP COLUMN kept_bytes");
    let version = format!(
        "DELETE FROM {own}migrations
         WHERE version >= (SELECT v FROM (SELECT max(version) - 2 AS v FROM {own}migrations) AS m)"
    );
    let mut ways = vec![[&after[..], &[index, &column, &version]].concat()];
    if is_mysql {
        ways.extend([vec![index, &version], vec![version.as_str()]]);
    }
    for way in ways {
        way.iter().for_each(|statement| ground.sql(statement));
        // Whoever only reads is not in need of it.
        assert_eq!(open(&ground.location(), TargetAccess::Read).unwrap().find_rejects(&any()).unwrap().len(), 3);
        let target = open(&ground.location(), TargetAccess::Write).unwrap();
        assert_about(&*target, 300_000);
        assert_eq!(target.find_rejects(&any()).unwrap().len(), 3);
    }
}

contract_in_sql! { a_database_of_before_learns_the_bytes_of_its_rejects }
