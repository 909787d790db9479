//! `simulate`: runs many seeds, and says which fail and how to see why.
fn main() {
    let seed: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(1);
    let v = hubbub_simulation::run(seed, None, true);
    for l in &v.trace { println!("{l}"); }
    println!("{:?} {} {:?}", v.violation, v.steps, v.figures);
}
