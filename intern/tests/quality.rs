//! How well the strings of real programs are spread by `Folded`.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

use intern::{Compact, Concurrent, Folded, Interner};

fn hash(string: &str) -> u64 {
    let mut hasher = Folded.build_hasher();
    hasher.write(string.as_bytes());
    hasher.finish()
}

/// No two of them have the same hash, and both tables have them where they are looked for.
#[track_caller]
fn check(family: &str, strings: &[String]) {
    let hashes: HashSet<u64> = strings.iter().map(|string| hash(string)).collect();
    let distinct: HashSet<&String> = strings.iter().collect();
    // By chance, two of 2^20 would be in one of 2^25 families.
    assert_eq!(hashes.len(), distinct.len(), "{family}: hashes");
    check_spread(family, &hashes);

    let mut compact = Compact::new();
    let concurrent = Concurrent::new();
    for string in strings {
        compact.intern(string);
        concurrent.intern(string);
    }
    for statistics in [compact.statistics(), concurrent.statistics()] {
        // With 10 of 12 slots filled, as at most, one group in nine is full: a string then has a chance
        // of one in nine for a second look and of some more for others, since full groups come in
        // rows. What is farthest is a few rows away.
        assert!(statistics.mean_probes < 1.25, "{family}: {statistics:?}");
        assert!(statistics.most_probes < 64, "{family}: {statistics:?}");
    }
}

/// No value of the bits that choose a tag, a shard and a group is had by many more hashes than others.
#[track_caller]
fn check_spread(family: &str, hashes: &HashSet<u64>) {
    for (bits, shift, width) in [
        ("tag", 0, 8),
        ("shard", 8, 5),
        ("group", 56, 8),
        ("group", 54, 10),
    ] {
        let mut counts = vec![0_u32; 1 << width];
        for hash in hashes {
            counts[(hash >> shift) as usize & ((1 << width) - 1)] += 1;
        }
        let expected = hashes.len() as f64 / counts.len() as f64;
        // One multiplication is not as even as chance, and need not be: where a fourth more strings are
        // than elsewhere, a table is full that much sooner. Six deviations are for chance.
        let limit = 1.25 * expected + 6.0 * expected.sqrt();
        let most = f64::from(counts.into_iter().max().unwrap_or_default());
        assert!(
            most < limit,
            "{family}: {most} of {} have one {bits} of {width} bits, not {expected}",
            hashes.len()
        );
    }
}

#[test]
fn numbered_names_are_spread() {
    let names = |format: fn(u32) -> String| (0..200_000).map(format).collect::<Vec<_>>();
    check("node-NNNNNN", &names(|number| format!("node-{number:06}")));
    check("N", &names(|number| number.to_string()));
    check("task_N", &names(|number| format!("task_{number}")));
    check(
        "dotted",
        &names(|number| {
            let (module, class, item) = (number % 7, number / 7 % 100, number / 700);
            format!("package{module}.class{class:04}.item{item:05}")
        }),
    );
    check("N times 64", &names(|number| format!("{:08}", number * 64)));
    check("hexadecimal", &names(|number| format!("0x{number:016x}")));
}

#[test]
fn coordinates_are_spread() {
    let pairs = || (0..400_u32).flat_map(|x| (0..400_u32).map(move |y| (x, y)));
    // Each has its counterpart with the fields swapped.
    check(
        "x,y",
        &pairs().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>(),
    );
    check(
        "x0000,y0000",
        &pairs()
            .map(|(x, y)| format!("x{x:04},y{y:04}"))
            .collect::<Vec<_>>(),
    );
    let wide = |(x, y)| format!("{x:08}{y:08}");
    check("two words", &pairs().map(wide).collect::<Vec<_>>());
    let wider = |(x, y)| format!("{x:016}{y:016}");
    check(
        "two pairs of words",
        &pairs().map(wider).collect::<Vec<_>>(),
    );
}

#[test]
fn all_short_strings_are_spread() {
    // Characters of one byte, without those that control.
    let letters = || (' '..='~').chain(['\0']);
    let mut strings: Vec<String> = letters().map(String::from).collect();
    strings.extend(letters().flat_map(|a| letters().map(move |b| format!("{a}{b}"))));
    strings.extend(
        letters().flat_map(|a| {
            letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}")))
        }),
    );
    strings.push(String::new());
    check("1 to 3 bytes", &strings);
}

#[test]
fn common_beginnings_and_ends_do_not_matter() {
    for length in [40, 41, 63, 64, 100, 300] {
        let common = "common/".repeat(50);
        let common = &common[..length];
        let names = |place: fn(&str, String) -> String| {
            (0..20_000)
                .map(|number| place(common, format!("{number}")))
                .collect::<Vec<_>>()
        };
        check(
            "beginning",
            &names(|common, number| format!("{common}{number}")),
        );
        check("end", &names(|common, number| format!("{number}{common}")));
        check(
            "both",
            &names(|common, number| format!("{common}{number}{common}")),
        );
    }
}

/// Strings of a few runs of equal bytes: bytes that overlap could make up for a length.
#[test]
fn runs_of_equal_bytes_have_hashes_of_their_own() {
    let mut strings = Vec::new();
    for a in 0..=40 {
        for b in 0..=40 {
            for c in [0, 1, 2, 8] {
                strings.push("1".repeat(a) + &"2".repeat(b) + &"3".repeat(c));
                strings.push("a".repeat(c) + &"`".repeat(a) + &"p".repeat(b));
            }
        }
    }
    let distinct: HashSet<&String> = strings.iter().collect();
    let hashes: HashSet<u64> = strings.iter().map(|string| hash(string)).collect();
    assert_eq!(hashes.len(), distinct.len());
}
