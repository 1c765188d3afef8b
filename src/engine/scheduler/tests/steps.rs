//! The state machine step by step: what each kind of answer leads to.

use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets the next case start and answers it at once.
fn one(machine: &mut Machine, now: &mut Duration, answer: (Verdict, Then, Option<u16>)) -> Action {
    loop {
        match machine.next(*now) {
            Action::Claim(ticket) => machine.on(*now, Event::Claimed(ticket)),
            Action::WaitUntil(time) => *now = time,
            Action::Start(ticket) => {
                let (verdict, then, status) = answer;
                machine.on(
                    *now,
                    Event::Answered(
                        ticket,
                        Answered {
                            verdict,
                            then,
                            status,
                            echo_differs: false,
                        },
                    ),
                );
                return Action::Start(ticket);
            }
            other => return other,
        }
    }
}

const GOOD: (Verdict, Then, Option<u16>) = (Verdict::Imported, Then::Next, Some(201));
const REFUSED: (Verdict, Then, Option<u16>) = (Verdict::Rejected, Then::Next, Some(422));
const DOUBT: (Verdict, Then, Option<u16>) = (Verdict::InDoubt, Then::Next, Some(500));
const FORBIDDEN: (Verdict, Then, Option<u16>) = (Verdict::Rejected, Then::Forbidden, Some(404));
const DOWN: (Verdict, Then, Option<u16>) = (Verdict::NotSent, Then::Unreachable, None);

fn busy(seconds: Option<u64>) -> (Verdict, Then, Option<u16>) {
    let retry_after = seconds.map(secs);
    (Verdict::NotSent, Then::Busy { retry_after }, Some(429))
}

#[test]
fn three_tries_are_enough_for_a_server_that_never_answered() {
    let (mut machine, mut now) = (Machine::new(settings(10)), Duration::ZERO);
    for _ in 0..3 {
        assert!(matches!(
            one(&mut machine, &mut now, DOWN),
            Action::Start(_)
        ));
    }
    let end = Action::Finish(Some(StopReason::Unreachable));
    assert_eq!(one(&mut machine, &mut now, DOWN), end);
    assert!(now <= secs(10), "took {now:?}");
}

#[test]
fn a_server_that_answered_before_is_waited_for() {
    let (mut machine, mut now) = (Machine::new(settings(10)), Duration::ZERO);
    one(&mut machine, &mut now, GOOD);
    for _ in 0..6 {
        assert_eq!(one(&mut machine, &mut now, DOWN), Action::Start(Ticket(1)));
    }
    assert_eq!(
        one(&mut machine, &mut now, GOOD),
        Action::Start(Ticket(2)),
        "one case's retries are spent, and the next has its turn"
    );
}

#[test]
fn a_busy_server_pauses_the_whole_run() {
    let (mut machine, mut now) = (Machine::new(settings(10)), Duration::ZERO);
    one(&mut machine, &mut now, busy(Some(7)));
    one(&mut machine, &mut now, GOOD);
    assert_eq!(now, secs(7));
    one(&mut machine, &mut now, busy(None));
    let before = now;
    one(&mut machine, &mut now, busy(None));
    one(&mut machine, &mut now, GOOD);
    assert_eq!(
        now.checked_sub(before).unwrap(),
        secs(1) + secs(2),
        "one second, then doubled"
    );
    one(&mut machine, &mut now, busy(Some(601)));
    assert_eq!(
        one(&mut machine, &mut now, GOOD),
        Action::Finish(Some(StopReason::WaitTooLong(secs(601))))
    );
}

#[test]
fn answers_to_calls_from_before_a_pause_belong_to_it() {
    let mut machine = Machine::new(settings(10));
    let mut now = Duration::ZERO;
    let mut started = Vec::new();
    while started.len() < 3 {
        match machine.next(now) {
            Action::Claim(ticket) => machine.on(now, Event::Claimed(ticket)),
            Action::WaitUntil(time) => now = time,
            Action::Start(ticket) => started.push(ticket),
            other => panic!("{other:?}"),
        }
    }
    let (verdict, then, status) = busy(Some(5));
    let answered = Answered {
        verdict,
        then,
        status,
        echo_differs: false,
    };
    for ticket in started {
        machine.on(now, Event::Answered(ticket, answered));
        assert_eq!(machine.paused_until(now), Some(now + secs(5)));
        assert_eq!(machine.interval(), Duration::from_millis(200));
        now += Duration::ZERO;
    }
}

#[test]
fn the_first_calls_go_one_at_a_time_and_forgive_nothing() {
    let careful = || {
        Machine::new(Settings {
            canary: Canary {
                needed: 2,
                echo: EchoPolicy::Show,
            },
            ..settings(10)
        })
    };
    let mut machine = careful();
    let now = Duration::ZERO;
    assert_eq!(machine.next(now), Action::Claim(Ticket(0)));
    machine.on(now, Event::Claimed(Ticket(0)));
    assert_eq!(machine.next(now), Action::Start(Ticket(0)));
    assert_eq!(machine.next(secs(5)), Action::WaitForEvent);

    for (answer, reason) in [
        (
            (Verdict::InDoubt, Then::Next, Some(200)),
            StopReason::CanaryWithoutId,
        ),
        (FORBIDDEN, StopReason::CanaryRefused(404)),
        (
            (Verdict::Rejected, Then::Next, Some(405)),
            StopReason::CanaryRefused(405),
        ),
        (
            (Verdict::NotSent, Then::Stop, Some(401)),
            StopReason::KeyRefused,
        ),
    ] {
        let (mut machine, mut now) = (careful(), Duration::ZERO);
        one(&mut machine, &mut now, GOOD);
        one(&mut machine, &mut now, answer);
        let end = Action::Finish(Some(reason));
        assert_eq!(one(&mut machine, &mut now, GOOD), end);
    }
}

#[test]
fn a_difference_is_asked_about_and_a_no_ends_the_run() {
    for (accepted, ends) in [(true, false), (false, true)] {
        let mut machine = Machine::new(Settings {
            canary: Canary {
                needed: 2,
                echo: EchoPolicy::Ask,
            },
            ..settings(3)
        });
        let now = Duration::ZERO;
        machine.next(now);
        machine.on(now, Event::Claimed(Ticket(0)));
        machine.next(now);
        let answered = Answered {
            verdict: Verdict::Imported,
            then: Then::Next,
            status: Some(201),
            echo_differs: true,
        };
        machine.on(now, Event::Answered(Ticket(0), answered));
        assert_eq!(machine.next(now), Action::AskEcho(Ticket(0)));
        assert_eq!(machine.next(now), Action::WaitForEvent);
        machine.on(now, Event::EchoAccepted(accepted));
        let finished = Action::Finish(Some(StopReason::EchoDiffers));
        assert_eq!(machine.next(now) == finished, ends);
    }
}

#[test]
fn after_a_doubt_calls_go_alone_until_one_is_answered() {
    let (mut machine, mut now) = (Machine::new(settings(10)), Duration::ZERO);
    one(&mut machine, &mut now, DOUBT);
    now += secs(1);
    let Action::Claim(ticket) = machine.next(now) else {
        panic!("no further case is taken");
    };
    machine.on(now, Event::Claimed(ticket));
    assert_eq!(machine.next(now), Action::Start(ticket));
    now += secs(1);
    assert_eq!(machine.next(now), Action::WaitForEvent);
}

#[test]
fn failures_in_a_row_stop_the_run_and_a_refusal_later_is_none() {
    let ends_after = |first: &[(Verdict, Then, Option<u16>)], rest, settings: Settings| {
        let (mut machine, mut now) = (Machine::new(settings), Duration::ZERO);
        for answer in first {
            one(&mut machine, &mut now, *answer);
        }
        let mut calls = 0;
        loop {
            match one(&mut machine, &mut now, rest) {
                Action::Start(_) => calls += 1,
                Action::Finish(reason) => return (calls, reason),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(
        ends_after(&[], REFUSED, settings(100)),
        (20, Some(StopReason::Failures(20)))
    );
    assert_eq!(ends_after(&[GOOD], REFUSED, settings(100)), (99, None));
    assert_eq!(
        ends_after(&[GOOD], DOUBT, settings(100)),
        (20, Some(StopReason::Failures(20)))
    );
    assert_eq!(
        ends_after(&[], FORBIDDEN, settings(100)),
        (3, Some(StopReason::Forbidden(vec![404; 3])))
    );
    assert_eq!(ends_after(&[GOOD], FORBIDDEN, settings(100)), (99, None));
    let never = Settings {
        max_failures: 0,
        ..settings(100)
    };
    assert_eq!(ends_after(&[], DOUBT, never.clone()), (100, None));
    assert_eq!(ends_after(&[], FORBIDDEN, never), (100, None));
    let same = (Verdict::InDoubt, Then::SameId, Some(200));
    assert_eq!(
        ends_after(&[GOOD], same, settings(100)),
        (2, Some(StopReason::SameIds))
    );
}
