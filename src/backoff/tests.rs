use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MIDDLE: f64 = 0.5;

fn documented() -> Schedule {
    Schedule::new(SECOND, 60 * SECOND, 2.0, 0.5).expect("the documented defaults are valid")
}

#[test]
fn delays_double_until_the_cap_and_stay_there() {
    let mut backoff = Backoff::new(documented());
    let delays: Vec<u64> = (0..9).map(|_| backoff.next(MIDDLE).as_secs()).collect();
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(backoff.failures(), 9);
}

#[test]
fn it_never_gives_up() {
    let mut backoff = Backoff::new(documented());
    for _ in 0..100_000 {
        assert!(backoff.next(0.999) <= 90 * SECOND);
    }
    assert_eq!(backoff.failures(), 100_000);
}

#[test]
fn a_reset_begins_again_at_the_initial_interval() {
    let mut backoff = Backoff::new(documented());
    for _ in 0..20 {
        backoff.next(MIDDLE);
    }
    backoff.reset();
    assert_eq!(backoff.failures(), 0);
    assert_eq!(backoff.next(MIDDLE), SECOND);
    assert_eq!(backoff.next(MIDDLE), 2 * SECOND);
}

#[test]
fn the_count_of_failures_stops_at_its_end() {
    let mut backoff = Backoff::new(documented());
    backoff.failures = u32::MAX;
    backoff.next(MIDDLE);
    assert_eq!(backoff.failures(), u32::MAX);
}

/// Chi-square over ten equal bins: with 9 degrees of freedom a uniform source exceeds 27.9 once in 1,000 seeds,
/// and this seed is fixed.
#[test]
fn the_jitter_is_uniform_over_its_whole_range() {
    const DRAWS: u32 = 10_000;
    let schedule = documented();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut bins = [0_u32; 10];
    for _ in 0..DRAWS {
        let delay = schedule.jittered(SECOND, rng.f64()).as_secs_f64();
        assert!((0.5..=1.5).contains(&delay), "{delay}");
        let bin = ((delay - 0.5) * 10.0) as usize;
        bins[bin.min(9)] += 1;
    }
    let expected = f64::from(DRAWS) / 10.0;
    let chi_square: f64 = bins.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    assert!(chi_square < 27.9, "{chi_square} from {bins:?}");
}

#[test]
fn the_ends_of_the_jitter_are_reached() {
    let schedule = documented();
    assert_eq!(schedule.jittered(SECOND, 0.0), SECOND / 2);
    assert_eq!(schedule.jittered(SECOND, 1.0), SECOND * 3 / 2);
}

#[test]
fn a_schedule_that_could_not_work_is_refused() {
    let new = Schedule::new;
    assert_eq!(new(Duration::ZERO, SECOND, 2.0, 0.5), Err(InvalidSchedule::Initial));
    assert_eq!(new(2 * SECOND, SECOND, 2.0, 0.5), Err(InvalidSchedule::Max));
    assert_eq!(new(SECOND, Duration::MAX, 2.0, 0.5), Err(InvalidSchedule::Max));
    for multiplier in [0.99, 0.0, -2.0, f64::NAN, f64::INFINITY] {
        assert_eq!(new(SECOND, SECOND, multiplier, 0.5), Err(InvalidSchedule::Multiplier), "{multiplier}");
    }
    for factor in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert_eq!(new(SECOND, SECOND, 2.0, factor), Err(InvalidSchedule::RandomizationFactor), "{factor}");
    }
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let nanos = SHORTEST.as_nanos() as u64..=LONGEST.as_nanos() as u64;
    let multiplier = prop_oneof![Just(1.0), 1.0..10.0, Just(f64::MAX), Just(1.0 + f64::EPSILON)];
    let factor = prop_oneof![Just(0.0), Just(1.0), 0.0..1.0];
    (nanos.clone(), nanos, multiplier, factor).prop_map(|(a, b, multiplier, factor)| {
        let (initial, max) = (Duration::from_nanos(a.min(b)), Duration::from_nanos(a.max(b)));
        Schedule::new(initial, max, multiplier, factor).expect("all parts are in their ranges")
    })
}

fn randoms() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..1.0, Just(0.0), Just(1.0), Just(f64::NAN), Just(f64::INFINITY), Just(-1.0)]
}

proptest! {
    #[test]
    fn no_parameters_lead_out_of_the_bounds(
        schedule in schedules(),
        steps in prop::collection::vec((randoms(), prop::bool::weighted(0.05)), 1..200),
    ) {
        let mut backoff = Backoff::new(schedule);
        let ceiling = schedule.max().mul_f64(1.0 + schedule.randomization_factor).max(SHORTEST);
        for (random, reset) in steps {
            if reset {
                backoff.reset();
            }
            let delay = backoff.next(random);
            prop_assert!(delay >= SHORTEST);
            prop_assert!(delay <= ceiling, "{delay:?} over {ceiling:?}");
        }
    }

    #[test]
    fn without_jitter_delays_never_shrink(schedule in schedules(), steps in 1..100_usize) {
        let mut backoff = Backoff::new(schedule);
        let mut previous = Duration::ZERO;
        for _ in 0..steps {
            let delay = backoff.next(MIDDLE);
            prop_assert!(delay >= previous);
            previous = delay;
        }
    }
}
