//! What every reader of foreign text costs per megabyte, on friendly and on hostile input.

#[path = "../tests/fuzz/large.rs"]
mod large;
mod measure;

use measure::{median, per};

const SIZE: usize = 1_000_000;

fn main() {
    println!("Reading a megabyte: milliseconds per MB, and growth from a tenth of it.\n");
    let mut worst: f64 = 0.0;
    for of in large::ALL {
        let [tenth, whole] = [SIZE / 10, SIZE].map(|size| {
            let text = (of.make)(size);
            per(median(|| (of.read)(&text)), text.len())
        });
        // A nanosecond per byte is a millisecond per megabyte.
        println!(
            "{:>9} {:<28} {whole:>8.1} ms  x {:.2}",
            of.reader,
            of.what,
            whole / tenth
        );
        worst = worst.max(whole);
    }
    println!("\nworst: {worst:.1} ms per MB");
}
