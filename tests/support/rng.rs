//! The only source of chance in a simulation: SplitMix64 (Steele, Lea, Flood 2014).

// Each simulator compiles this module and uses another part of it.
#![allow(dead_code)]

/// Numbers that follow from a seed.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `low..high`; `low` if that is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        if high > low { low + self.below(high - low) } else { low }
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True `permille` times in a thousand.
    pub fn chance(&mut self, permille: u32) -> bool {
        permille > 0 && self.below(1000) < u64::from(permille)
    }

    /// One of the choices.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()]
    }
}

/// Plays the histories of as many seeds as `RUNS` says, or that of `SEED`.
pub fn play_seeds(usual: u64, play: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let seeds = number("SEED").map_or(0..number("RUNS").unwrap_or(usual), |seed| seed..seed + 1);
    for seed in seeds {
        let played = std::panic::catch_unwind(|| play(seed));
        assert!(played.is_ok(), "it was SEED={seed}");
    }
}
