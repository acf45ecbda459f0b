//! Asks valgrind's callgrind, which counts the instructions of the program that it runs.
//!
//! A request is a sequence of instructions that leaves a processor as it was; valgrind looks for it.
//! So a request outside valgrind takes a nanosecond and answers 0. The sequences and the numbers of
//! the requests are those of `valgrind.h` and `callgrind.h`, which promise not to change them.

use std::ffi::CString;

use crate::lab::Meter;

/// Asks how many valgrinds run the program, one inside the other.
const RUNNING_ON_VALGRIND: usize = 0x1001;

/// The requests of callgrind begin here.
const CALLGRIND: usize = (b'C' as usize) << 24 | (b'T' as usize) << 16;
const DUMP_STATS_AT: usize = CALLGRIND + 3;
const START_INSTRUMENTATION: usize = CALLGRIND + 4;
const STOP_INSTRUMENTATION: usize = CALLGRIND + 5;

/// Whether valgrind runs this program.
pub(crate) fn is_running() -> bool {
    request(RUNNING_ON_VALGRIND, 0) > 0
}

/// Has callgrind write down what it has counted since it last did, under the name `number`.
pub(crate) fn write_down(number: u64) {
    let name = CString::new(number.to_string()).expect("digits are not 0 bytes");
    request(DUMP_STATS_AT, name.as_ptr().expose_provenance());
}

/// Counts by switching instrumentation on, without which a program runs several times as fast:
/// counting the suite `arena` takes 4.4 s of processor time, and 7.7 s where only collecting is
/// switched on and off (2-core x86-64 VM, 2026-11).
pub(crate) struct Callgrind;

impl Meter for Callgrind {
    fn start(&mut self) {
        request(START_INSTRUMENTATION, 0);
    }

    fn stop(&mut self) {
        request(STOP_INSTRUMENTATION, 0);
    }
}

/// Sends a request with one argument; the answer is 0 where valgrind does not run the program.
#[inline(always)]
fn request(code: usize, argument: usize) -> usize {
    let words = [code, argument, 0, 0, 0, 0];
    let answer: usize;
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a processor turns `rdi` by 3 + 13 + 61 + 51 = 128 bits, that is not at all, swaps
    // `rbx` with itself, and so changes nothing but flags. Valgrind reads six words at `rax`,
    // which `words` has, and what the argument of `DUMP_STATS_AT` points to, a string that its
    // caller keeps; it writes the answer to `rdx`. The stack is not used.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") words.as_ptr(),
            inout("rdx") 0_usize => answer,
            options(nostack),
        );
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: a processor turns `x12` by 3 + 13 + 51 + 61 = 128 bits, that is not at all, joins
    // `x10` with itself, and so changes nothing. Valgrind reads six words at `x4`, which `words`
    // has, and what the argument of `DUMP_STATS_AT` points to, a string that its caller keeps; it
    // writes the answer to `x3`. The stack is not used.
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            in("x4") words.as_ptr(),
            inout("x3") 0_usize => answer,
            options(nostack),
        );
    }
    #[cfg(any(not(any(target_arch = "x86_64", target_arch = "aarch64")), miri))]
    {
        let _ = words;
        answer = 0;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_do_nothing_where_no_valgrind_is() {
        // Should the tests themselves be run by valgrind, this says so.
        let valgrind = std::env::var("LD_PRELOAD").is_ok_and(|path| path.contains("vgpreload"));
        assert_eq!(is_running(), valgrind);
        Callgrind.start();
        Callgrind.stop();
        write_down(7);
    }
}
