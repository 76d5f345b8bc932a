use super::*;

const LIMITS: Limits = Limits {
    least: 1,
    first: 100,
    most: 1_000,
    rows: 1_000,
    in_flight: 4,
    deadline: Duration::from_secs(10),
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_quick_link_is_filled_within_a_few_batches_and_never_beyond_the_limits() {
    let mut pace = Pace::new(LIMITS);
    assert_eq!((pace.window, pace.batch(None)), (1, 100));
    for _ in 0..20 {
        pace.delivered(true, ms(5), true);
        pace.answered(pace.command(), ms(5));
    }
    assert_eq!((pace.window, pace.batch(None), pace.command()), (4, 1_000, LARGEST_COMMAND));
}

#[test]
fn of_small_commands_twice_as_many_are_at_work_once_they_were_seen_to_come_back_soon() {
    for (rows, window) in [(1, 8), (100, 8), (FEW_ROWS, 8), (FEW_ROWS + 1, 4)] {
        let mut pace = Pace::new(Limits { least: rows, first: rows, rows, in_flight: 12, ..LIMITS });
        pace.went_through(FIRST_COMMAND, ms(5));
        assert_eq!(pace.window(), 4, "nothing was written yet");
        pace.delivered(true, ms(5), true);
        assert_eq!(pace.window(), window, "{rows} rows");
    }
    let few = Limits { least: 100, rows: 100, ..LIMITS };
    assert_eq!(written_to(0, 20, Limits { in_flight: 6, ..few }).window(), 6, "never beyond the limit");
    assert_eq!(written_to(100, 3, Limits { in_flight: 12, ..few }).window(), 12, "however far away");
}

#[test]
fn a_batch_that_was_asked_for_keeps_its_size() {
    let mut pace = Pace::new(Limits { least: 300, first: 300, most: 300, rows: 300, ..LIMITS });
    pace.delivered(true, ms(1), true);
    assert_eq!(pace.batch(None), 300);
    pace.missed(40_000);
    pace.delivered(true, ms(9_000), true);
    assert_eq!(pace.batch(None), 300);
    assert_eq!(pace.command(), 20_000, "it is sent in parts instead");
}

#[test]
fn batches_that_are_sent_in_parts_are_put_together_only_as_long_as_that_saves_time() {
    let mut pace = Pace::new(Limits { least: 100, rows: 100, ..LIMITS });
    for _ in 0..10 {
        // Everything is there already: a look-up, whatever its size.
        pace.delivered(true, ms(200), true);
    }
    assert_eq!((pace.batch(None), pace.rows()), (1_000, 100));
    pace.broke_off();
    for _ in 0..10 {
        pace.broke_off();
    }
    assert_eq!(pace.batch(None), 100, "no less than was asked for");
    for _ in 0..10 {
        let took = ms(100 + pace.batch(None) as u64);
        pace.delivered(true, took, true);
    }
    assert_eq!(pace.batch(None), 400);
}

#[test]
fn what_never_makes_its_deadline_is_halved_down_to_one_row() {
    let mut pace = Pace::new(LIMITS);
    for _ in 0..40 {
        let bytes = pace.command();
        pace.missed(bytes);
        pace.broke_off();
    }
    assert_eq!((pace.window, pace.batch(None), pace.command()), (1, 1, 1));
    for _ in 0..40 {
        pace.answered(pace.command().max(600), ms(10));
        pace.delivered(true, ms(10), true);
    }
    assert_eq!((pace.window, pace.batch(None)), (4, 1_000), "and grows again when the link is better");
    assert!(pace.command() > 1_000_000);
}

#[test]
fn a_large_row_is_given_more_time_each_time_and_a_small_one_never() {
    let mut pace = Pace::new(LIMITS);
    let row = 100 * 1024;
    assert_eq!(pace.deadline(1, row), LIMITS.deadline);
    for _ in 0..3 {
        pace.missed(row);
        pace.missed(600);
    }
    assert_eq!(pace.deadline(1, row), LIMITS.deadline * 8);
    assert_eq!((pace.deadline(1, 600), pace.deadline(2, row)), (LIMITS.deadline, LIMITS.deadline));
    for _ in 0..30 {
        pace.missed(row);
    }
    assert_eq!(pace.deadline(1, row), LONGEST);
    pace.answered(row, ms(100));
    assert_eq!(pace.deadline(1, row), LIMITS.deadline, "the link is better");
}

#[test]
fn on_a_slow_link_a_command_takes_a_part_of_its_deadline() {
    let mut pace = Pace::new(LIMITS);
    // 8 kB a second.
    for _ in 0..20 {
        let bytes = pace.command();
        pace.answered(bytes, Duration::from_secs_f64(bytes as f64 / 8_000.0));
    }
    let takes = Duration::from_secs_f64(pace.command() as f64 / 8_000.0);
    assert!(takes < ms(2_600) && takes > ms(500), "{takes:?}");
}

#[test]
fn a_long_way_that_is_no_slow_one_is_found_out_with_one_command() {
    let mut pace = Pace::new(LIMITS);
    pace.answered(1_000, ms(100));
    assert_eq!(pace.command(), FIRST_COMMAND, "a small one says little");
    pace.answered(FIRST_COMMAND, ms(100));
    assert_eq!(pace.command(), FIRST_COMMAND * 25 / 2, "as much as takes its part of the deadline");
    pace.answered(FIRST_COMMAND, Duration::ZERO);
    assert_eq!(pace.command(), LARGEST_COMMAND.min(FIRST_COMMAND * 25 / 2 * GROWTH));
}

#[test]
fn a_server_that_suffers_gets_fewer_batches_at_a_time() {
    let mut pace = Pace::new(LIMITS);
    for _ in 0..10 {
        pace.delivered(true, ms(20), true);
    }
    assert_eq!(pace.window, 4);
    for _ in 0..3 {
        pace.delivered(true, ms(2_000), true);
    }
    assert_eq!(pace.window, 1);
}

#[test]
fn a_long_way_is_no_slow_link() {
    let mut pace = Pace::new(LIMITS);
    for _ in 0..10 {
        pace.delivered(true, ms(600), true);
    }
    assert_eq!((pace.window, pace.batch(None)), (4, 1_000));
}

#[test]
fn a_look_up_that_comes_back_soon_enough_gives_the_first_batches_their_places() {
    let mut pace = Pace::new(LIMITS);
    assert_eq!((pace.window(), pace.flights()), (1, 2));
    pace.went_through(2_000, ms(100));
    assert_eq!((pace.window(), pace.flights()), (1, 2), "a small one says little");
    pace.went_through(12_000, ms(100));
    assert_eq!((pace.window(), pace.flights()), (4, 12));
    pace.batch = LIMITS.most;
    assert_eq!(pace.flights(), 8, "large ones are fewer");
    let mut pace = Pace::new(Limits { in_flight: 8, ..LIMITS });
    pace.begin(Some(ms(100)), None);
    pace.went_through(12_000, ms(100));
    assert_eq!(pace.window(), 4, "what they may take together is half of a deadline");
    let mut pace = Pace::new(Limits { in_flight: 1, ..LIMITS });
    pace.went_through(12_000, ms(100));
    assert_eq!((pace.window(), pace.flights()), (1, 1));
}

#[test]
fn what_the_link_carried_when_the_connection_was_made_does_so_before_the_first_look_up() {
    let begun = |weighed: Option<(usize, u64)>| {
        let mut pace = Pace::new(LIMITS);
        pace.begin(Some(ms(100)), weighed.map(|(bytes, took)| Weighed::of(bytes, ms(took))));
        pace
    };
    let pace = begun(Some((4_096, 105)));
    assert_eq!((pace.window(), pace.flights()), (4, 12));
    assert!(pace.command() > FIRST_COMMAND, "{}", pace.command());
    for slow in [None, Some((4_096, 600))] {
        let pace = begun(slow);
        assert_eq!((pace.window(), pace.flights(), pace.command()), (1, 2, FIRST_COMMAND), "{slow:?}");
    }
    for slow in [None, Some(Weighed::of(4_096, ms(600)))] {
        let mut pace = begun(Some((4_096, 105)));
        pace.begin(Some(ms(100)), slow);
        assert_eq!((pace.window(), pace.command()), (1, FIRST_COMMAND), "it was another link");
    }
    let mut patient = Pace::new(Limits { deadline: Duration::from_secs(120), ..LIMITS });
    patient.begin(Some(ms(100)), Some(Weighed::of(4_096, ms(600))));
    assert_eq!(patient.window(), 1, "patience makes no link wider");
    let mut pace = begun(Some((4_096, 600)));
    pace.broke_off();
    pace.begin(Some(ms(100)), Some(Weighed::of(4_096, ms(105))));
    assert_eq!(pace.window(), 1, "what happened since tells more");
}

#[test]
fn a_slow_link_gets_one_batch_at_a_time_until_it_is_through() {
    for bytes_per_second in [8_000, 16_000] {
        let mut pace = Pace::new(LIMITS);
        for bytes in [2_000, 12_000, FIRST_COMMAND] {
            // What comes back, on a way of its own, may be much and quick.
            pace.answered(bytes * 20, Duration::from_secs_f64(bytes as f64 / f64::from(bytes_per_second)));
            pace.went_through(bytes, Duration::from_secs_f64(bytes as f64 / f64::from(bytes_per_second)));
            assert_eq!(pace.window(), 1, "{bytes_per_second}");
        }
    }
}

#[test]
fn after_a_pass_that_broke_off_places_come_back_one_batch_after_the_other() {
    let mut pace = Pace::new(LIMITS);
    pace.went_through(FIRST_COMMAND, ms(100));
    assert_eq!(pace.window(), 4);
    pace.broke_off();
    pace.went_through(FIRST_COMMAND, ms(100));
    assert_eq!((pace.window(), pace.flights()), (1, 1));
    pace.delivered(true, ms(200), true);
    assert_eq!(pace.window(), 2);
}

#[test]
fn the_last_rows_are_shared_out_among_the_places() {
    let mut pace = Pace::new(Limits { least: 100, rows: 100, ..LIMITS });
    for _ in 0..10 {
        pace.delivered(true, ms(20), true);
    }
    let sizes =
        [None, Some(9_000), Some(2_000), Some(1_900), Some(150), Some(1)].map(|left| pace.batch(left));
    assert_eq!(sizes, [1_000, 1_000, 500, 500, 100, 100]);
    let pace = Pace::new(Limits { least: 1_000, first: 1_000, rows: 1_000, ..LIMITS });
    assert_eq!(pace.batch(Some(10)), 1_000, "no less than was asked for");
}

/// A server so far away, and how long its work on a command takes, in milliseconds; written to until nothing changes any more.
fn written_to(way: u64, work: u64, limits: Limits) -> Pace {
    let mut pace = Pace::new(limits);
    pace.begin(Some(ms(way)), None);
    for _ in 0..100 {
        pace.answered(100_000, ms(way + work));
        pace.wrote(ms(way + work), true);
        pace.delivered(true, ms(2 * way + work), true);
    }
    pace
}

#[test]
fn what_is_on_a_long_way_comes_on_top_of_what_the_server_works_on() {
    let limits = Limits { in_flight: 16, ..LIMITS };
    for (way, work, window) in [(0, 20, 4), (4, 2, 4), (50, 50, 8), (100, 60, 10), (100, 3, 16), (20, 100, 4)]
    {
        assert_eq!(written_to(way, work, limits).window(), window, "{way} + {work}");
    }
    assert_eq!(written_to(100, 3, LIMITS).window(), 4, "never beyond the limit");
}

#[test]
fn a_server_nearby_that_is_slow_is_not_taken_for_one_far_away() {
    let mut pace = Pace::new(Limits { in_flight: 16, ..LIMITS });
    pace.begin(Some(ms(1)), None);
    for _ in 0..100 {
        // Nothing small is asked, and everything takes about as long.
        pace.answered(100_000, ms(90));
        pace.wrote(ms(100), true);
        pace.delivered(true, ms(190), true);
    }
    assert_eq!(pace.window(), 4);
}

#[test]
fn who_has_little_to_send_does_not_find_out_how_much_could_be() {
    let mut pace = Pace::new(LIMITS);
    for _ in 0..10 {
        pace.wrote(ms(5), false);
        pace.delivered(true, ms(5), false);
    }
    assert_eq!(pace.window(), 1);
    pace.delivered(true, ms(5), true);
    assert_eq!(pace.window(), 2);
}

#[test]
fn each_command_that_writes_and_comes_back_soon_makes_room_for_another_until_it_was_too_much() {
    let mut pace = Pace::new(Limits { in_flight: 16, ..LIMITS });
    pace.begin(Some(ms(100)), None);
    pace.wrote(ms(101), true);
    assert_eq!(pace.window(), 1, "a slow link isn't filled to find out that it is one");
    pace.went_through(12_000, ms(300));
    let shown = pace.window();
    (0..3).for_each(|_| pace.wrote(ms(101), true));
    assert_eq!(pace.window(), shown + 3);
    pace.delivered(true, ms(3_000), true);
    let fewer = pace.window();
    assert!(fewer < shown + 3);
    pace.wrote(ms(101), true);
    assert_eq!(pace.window(), fewer);
}

#[test]
fn where_a_batch_is_sent_in_many_commands_few_batches_are_in_flight() {
    let limits = Limits { least: 100, rows: 100, in_flight: 16, ..LIMITS };
    let mut pace = written_to(100, 3, limits);
    assert_eq!((pace.window(), pace.batch(None), pace.flights()), (16, 1_000, 8));
    pace.batch = 100;
    assert_eq!(pace.flights(), 36);
}
