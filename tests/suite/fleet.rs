//! Many daemons and one MongoDB.

#[path = "../../examples/fleet/daemons.rs"]
mod daemons;

#[test]
fn many_daemons_survive_a_restart_of_their_server_and_leave_it_alone_when_idle() {
    let seen = daemons::run(10, 50);
    println!("{seen}");
    // Each may have as many as its pool, and the monitor's two.
    assert!(seen.peak_connections <= 10 * 10, "{seen}");
    assert_eq!(seen.idle_connections, 0);
}
