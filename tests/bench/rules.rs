//! Mapping records to cases with the ten rules of `caseload.toml`.

use std::path::Path;
use std::sync::Arc;

use caseload::config;
use caseload::mapping::{Mapper, RecordDigests, Rules};
use caseload::model::{Cell, Columns, FileId, Place, Record};
use criterion::{Criterion, Throughput};

use super::{COLUMNS, rows};

pub(super) fn measure(criterion: &mut Criterion) {
    let config = config::parse(include_str!("caseload.toml"), Path::new("caseload.toml"));
    let rules = Arc::new(Rules::compile(config.unwrap().mapping).unwrap());
    let columns = Columns::from_names(COLUMNS);
    let rows: Vec<_> = rows(1_000).collect();
    let cells: Vec<Vec<Cell<'_>>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| Cell::text(cell)).collect())
        .collect();
    let records: Vec<Record<'_>> = (0..)
        .zip(&cells)
        .map(|(index, cells)| Record {
            place: Place {
                file: FileId(0),
                line: index + 2,
                row: None,
                index,
            },
            columns: &columns,
            cells,
            json: None,
        })
        .collect();

    let mut mapper = Mapper::new(rules);
    let mut problems = Vec::new();
    for record in &records {
        assert!(mapper.map(record, &mut problems).is_some(), "{problems:?}");
    }
    let mut group = criterion.benchmark_group("map 1,000 records");
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function("as a check does", |bencher| {
        bencher.iter(|| {
            for record in &records {
                std::hint::black_box(mapper.map(record, &mut problems));
            }
        });
    });
    let mut digests = RecordDigests::default();
    group.bench_function("with the digests that an import needs", |bencher| {
        bencher.iter(|| {
            for record in &records {
                let mapped = mapper.map(record, &mut problems).unwrap();
                let content = (mapped.payload_digest(), mapped.content().digest());
                std::hint::black_box((content, digests.of(record)));
            }
        });
    });
    group.finish();
}
