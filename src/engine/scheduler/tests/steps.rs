//! The scheduler step by step: what each kind of answer leads to.

use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Starts the next case and answers it at once.
fn one(
    scheduler: &mut Scheduler,
    now: &mut Duration,
    answer: (Verdict, NextStep, Option<u16>),
) -> SchedulerAction {
    loop {
        match scheduler.next(*now) {
            SchedulerAction::Claim(case) => scheduler.on(*now, SchedulerEvent::Claimed(case)),
            SchedulerAction::WaitUntil(time) => *now = time,
            SchedulerAction::Start(case) => {
                let (verdict, next_step, status) = answer;
                scheduler.on(
                    *now,
                    SchedulerEvent::AttemptDone(
                        case,
                        AttemptResult {
                            verdict,
                            next_step,
                            status,
                            echo_differs: false,
                        },
                    ),
                );
                return SchedulerAction::Start(case);
            }
            other => return other,
        }
    }
}

const GOOD: (Verdict, NextStep, Option<u16>) = (Verdict::Imported, NextStep::Next, Some(201));
const REJECTED: (Verdict, NextStep, Option<u16>) = (Verdict::Rejected, NextStep::Next, Some(422));
const DOUBT: (Verdict, NextStep, Option<u16>) = (Verdict::InDoubt, NextStep::Next, Some(500));
const FORBIDDEN: (Verdict, NextStep, Option<u16>) =
    (Verdict::Rejected, NextStep::Forbidden, Some(404));
const DOWN: (Verdict, NextStep, Option<u16>) = (Verdict::NotSent, NextStep::Unreachable, None);

fn busy(seconds: Option<u64>) -> (Verdict, NextStep, Option<u16>) {
    let retry_after = seconds.map(secs);
    (Verdict::NotSent, NextStep::Busy { retry_after }, Some(429))
}

#[test]
fn a_server_that_never_answered_is_tried_three_times() {
    let (mut scheduler, mut now) = (Scheduler::new(settings(10)), Duration::ZERO);
    for _ in 0..3 {
        assert!(matches!(
            one(&mut scheduler, &mut now, DOWN),
            SchedulerAction::Start(_)
        ));
    }
    let end = SchedulerAction::Finish(Some(StopReason::Unreachable));
    assert_eq!(one(&mut scheduler, &mut now, DOWN), end);
    assert!(now <= secs(10), "took {now:?}");
}

#[test]
fn a_server_that_answered_before_is_waited_for() {
    let (mut scheduler, mut now) = (Scheduler::new(settings(10)), Duration::ZERO);
    one(&mut scheduler, &mut now, GOOD);
    for _ in 0..6 {
        assert_eq!(
            one(&mut scheduler, &mut now, DOWN),
            SchedulerAction::Start(CaseIndex(1))
        );
    }
    assert_eq!(
        one(&mut scheduler, &mut now, GOOD),
        SchedulerAction::Start(CaseIndex(2)),
        "after the case's last retry the next case starts"
    );
}

#[test]
fn a_busy_server_pauses_the_whole_run() {
    let (mut scheduler, mut now) = (Scheduler::new(settings(10)), Duration::ZERO);
    one(&mut scheduler, &mut now, busy(Some(7)));
    one(&mut scheduler, &mut now, GOOD);
    assert_eq!(now, secs(7));
    one(&mut scheduler, &mut now, busy(None));
    let before = now;
    one(&mut scheduler, &mut now, busy(None));
    one(&mut scheduler, &mut now, GOOD);
    assert_eq!(
        now.checked_sub(before).unwrap(),
        secs(1) + secs(2),
        "one second, then doubled"
    );
    one(&mut scheduler, &mut now, busy(Some(601)));
    assert_eq!(
        one(&mut scheduler, &mut now, GOOD),
        SchedulerAction::Finish(Some(StopReason::WaitTooLong(secs(601))))
    );
}

#[test]
fn an_answer_to_a_call_from_before_a_pause_only_moves_its_end() {
    let mut scheduler = Scheduler::new(settings(10));
    let mut now = Duration::ZERO;
    let mut started = Vec::new();
    while started.len() < 4 {
        match scheduler.next(now) {
            SchedulerAction::Claim(case) => scheduler.on(now, SchedulerEvent::Claimed(case)),
            SchedulerAction::WaitUntil(time) => now = time,
            SchedulerAction::Start(case) => started.push(case),
            other => panic!("{other:?}"),
        }
    }
    let begun = now;
    for (case, (after, wait, until)) in
        started
            .into_iter()
            .zip([(0, 5, 5), (1, 7, 8), (2, 1, 8), (3, 5, 8)])
    {
        now = begun + secs(after);
        let (verdict, next_step, status) = busy(Some(wait));
        let answered = AttemptResult {
            verdict,
            next_step,
            status,
            echo_differs: false,
        };
        scheduler.on(now, SchedulerEvent::AttemptDone(case, answered));
        assert_eq!(scheduler.paused_until(now), Some(begun + secs(until)));
        assert_eq!(scheduler.pacing.rate.interval(), Duration::from_millis(200));
    }
    let SchedulerAction::WaitUntil(next) = scheduler.next(now) else {
        panic!("nothing waits");
    };
    assert_eq!(next, begun + secs(8));
}

#[test]
fn a_wait_counts_before_the_answer_that_named_it_is_settled() {
    let mut scheduler = Scheduler::new(settings(10));
    let now = Duration::ZERO;
    scheduler.next(now);
    scheduler.on(now, SchedulerEvent::Claimed(CaseIndex(0)));
    scheduler.on(now, SchedulerEvent::AskedToWait(secs(9)));
    let release = SchedulerAction::Release(CaseIndex(0));
    assert_eq!(scheduler.next(now), release);
    scheduler.on(now, SchedulerEvent::AskedToWait(secs(601)));
    let reason = StopReason::WaitTooLong(secs(601));
    assert_eq!(scheduler.stopping(), Some(&reason));
}

#[test]
fn the_first_calls_go_one_at_a_time_and_stop_at_the_first_doubt() {
    let with_canary = || {
        Scheduler::new(RunSettings {
            canary: Canary {
                needed: 2,
                echo: EchoPolicy::Show,
            },
            ..settings(10)
        })
    };
    let mut scheduler = with_canary();
    let now = Duration::ZERO;
    assert_eq!(scheduler.next(now), SchedulerAction::Claim(CaseIndex(0)));
    scheduler.on(now, SchedulerEvent::Claimed(CaseIndex(0)));
    assert_eq!(scheduler.next(now), SchedulerAction::Start(CaseIndex(0)));
    assert_eq!(scheduler.next(secs(5)), SchedulerAction::WaitForEvent);

    for (answer, reason) in [
        (
            (Verdict::InDoubt, NextStep::Next, Some(200)),
            StopReason::CanaryWithoutId,
        ),
        (FORBIDDEN, StopReason::CanaryRejected(404)),
        (
            (Verdict::Rejected, NextStep::Next, Some(405)),
            StopReason::CanaryRejected(405),
        ),
        (
            (Verdict::NotSent, NextStep::Stop, Some(401)),
            StopReason::Unauthorized,
        ),
    ] {
        let (mut scheduler, mut now) = (with_canary(), Duration::ZERO);
        one(&mut scheduler, &mut now, GOOD);
        one(&mut scheduler, &mut now, answer);
        let end = SchedulerAction::Finish(Some(reason));
        assert_eq!(one(&mut scheduler, &mut now, GOOD), end);
    }
}

#[test]
fn a_different_echo_is_asked_about_and_a_no_stops_the_run() {
    for (accepted, ends) in [(true, false), (false, true)] {
        let mut scheduler = Scheduler::new(RunSettings {
            canary: Canary {
                needed: 2,
                echo: EchoPolicy::Ask,
            },
            ..settings(3)
        });
        let now = Duration::ZERO;
        scheduler.next(now);
        scheduler.on(now, SchedulerEvent::Claimed(CaseIndex(0)));
        scheduler.next(now);
        let answered = AttemptResult {
            verdict: Verdict::Imported,
            next_step: NextStep::Next,
            status: Some(201),
            echo_differs: true,
        };
        scheduler.on(now, SchedulerEvent::AttemptDone(CaseIndex(0), answered));
        assert_eq!(scheduler.next(now), SchedulerAction::AskEcho);
        assert_eq!(scheduler.next(now), SchedulerAction::WaitForEvent);
        scheduler.on(now, SchedulerEvent::EchoAccepted(accepted));
        let finished = SchedulerAction::Finish(Some(StopReason::EchoDiffers));
        assert_eq!(scheduler.next(now) == finished, ends);
    }
}

#[test]
fn after_a_doubt_calls_go_one_at_a_time_until_one_is_answered() {
    let (mut scheduler, mut now) = (Scheduler::new(settings(10)), Duration::ZERO);
    one(&mut scheduler, &mut now, DOUBT);
    now += secs(1);
    let SchedulerAction::Claim(case) = scheduler.next(now) else {
        panic!("no further case is taken");
    };
    scheduler.on(now, SchedulerEvent::Claimed(case));
    assert_eq!(scheduler.next(now), SchedulerAction::Start(case));
    now += secs(1);
    assert_eq!(scheduler.next(now), SchedulerAction::WaitForEvent);
}

#[test]
fn failures_in_a_row_stop_the_run_but_not_rejections_after_a_success() {
    let ends_after = |first: &[(Verdict, NextStep, Option<u16>)], rest, settings: RunSettings| {
        let (mut scheduler, mut now) = (Scheduler::new(settings), Duration::ZERO);
        for answer in first {
            one(&mut scheduler, &mut now, *answer);
        }
        let mut calls = 0;
        loop {
            match one(&mut scheduler, &mut now, rest) {
                SchedulerAction::Start(_) => calls += 1,
                SchedulerAction::Finish(reason) => return (calls, reason),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(
        ends_after(&[], REJECTED, settings(100)),
        (20, Some(StopReason::Failures(20)))
    );
    assert_eq!(ends_after(&[GOOD], REJECTED, settings(100)), (99, None));
    assert_eq!(
        ends_after(&[GOOD], DOUBT, settings(100)),
        (20, Some(StopReason::Failures(20)))
    );
    assert_eq!(
        ends_after(&[], FORBIDDEN, settings(100)),
        (3, Some(StopReason::Forbidden(vec![404; 3])))
    );
    assert_eq!(ends_after(&[GOOD], FORBIDDEN, settings(100)), (99, None));
    let never = RunSettings {
        max_failures: 0,
        ..settings(100)
    };
    assert_eq!(ends_after(&[], DOUBT, never.clone()), (100, None));
    assert_eq!(ends_after(&[], FORBIDDEN, never), (100, None));
    let same = (Verdict::InDoubt, NextStep::DuplicateId, Some(200));
    assert_eq!(
        ends_after(&[GOOD], same, settings(100)),
        (2, Some(StopReason::DuplicateIds))
    );
}
