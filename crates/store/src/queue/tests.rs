//! Lanes, leases, order, and jobs done again.

use super::*;
use crate::db::StoreError;
use crate::ids::{JobId, NodeId};
use crate::testing::TestDb;

const NODE_A: NodeId = NodeId(1);
const NODE_B: NodeId = NodeId(2);

async fn leave_jobs(db: &TestDb, kind: JobKind, lane: i64, ids: std::ops::Range<i64>) {
    db.write(move |tx| {
        for id in ids.clone() {
            let job = NewJob {
                id: JobId(id),
                kind,
                lane,
                subject: id * 10,
                due_ms: 1_000,
            };
            leave(tx, &job, 1_000)?;
        }
        Ok::<_, StoreError>(())
    })
    .await
    .unwrap();
}

async fn lease_as(db: &TestDb, node: NodeId, lane: i64, now_ms: i64) -> Option<Lease> {
    db.write(move |tx| lease(tx, JobKind::Callback, lane, node, now_ms, now_ms + 100, 2))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

fn lanes(due: &[DueLane]) -> Vec<i64> {
    due.iter().map(|lane| lane.lane).collect()
}

crate::on_both_engines! {
    async fn a_lane_belongs_to_one_node_until_its_lease_ends(db: &TestDb) {
        leave_jobs(db, JobKind::Callback, 7, 1..4).await;
        leave_jobs(db, JobKind::Callback, 8, 4..5).await;
        leave_jobs(db, JobKind::Judge, 9, 5..6).await;
        let due = due_lanes(db, JobKind::Callback, NODE_B, 1_000, 10).await.unwrap();
        assert_eq!(lanes(&due), [7, 8]);
        assert!(due_lanes(db, JobKind::Callback, NODE_B, 999, 10).await.unwrap().is_empty());

        let held = lease_as(db, NODE_A, 7, 1_000).await.unwrap();
        assert_eq!(held.jobs.iter().map(|job| job.id.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(lease_as(db, NODE_B, 7, 1_050).await, None);
        assert_eq!(lanes(&due_lanes(db, JobKind::Callback, NODE_B, 1_050, 10).await.unwrap()), [8]);
        assert!(lease_as(db, NODE_B, 7, 1_100).await.is_some(), "the lease has ended");

        // The first holder learns that it lost the lane; what it did is kept all the same.
        let ends = vec![(JobId(1), JobEnd::Done)];
        let carried = db
            .write(move |tx| {
                carry_on(tx, JobKind::Callback, 7, NODE_A, &ends, 1_100, 1_200, 2, LaneState::WELL)
            })
            .await
            .map_err(|error: StoreError| error)
            .unwrap();
        assert_eq!(carried, None);
        let held = lease_as(db, NODE_B, 7, 1_300).await.unwrap();
        assert_eq!(held.jobs.iter().map(|job| job.id.0).collect::<Vec<_>>(), [2, 3]);
    }

    async fn a_paused_lane_keeps_its_jobs(db: &TestDb) {
        leave_jobs(db, JobKind::Callback, 7, 1..2).await;
        lease_as(db, NODE_A, 7, 1_000).await.unwrap();
        db.write(|tx| {
            let again = JobEnd::Again { due_ms: 1_500, fault: "timeout".to_owned() };
            end(tx, JobKind::Callback, &[(JobId(1), again)], 1_000)?;
            let state = LaneState { failures: 3, paused_until_ms: 2_000 };
            release(tx, JobKind::Callback, 7, NODE_A, state)
        })
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
        assert!(due_lanes(db, JobKind::Callback, NODE_B, 1_999, 10).await.unwrap().is_empty());
        assert_eq!(lease_as(db, NODE_B, 7, 1_999).await, None);
        let due = due_lanes(db, JobKind::Callback, NODE_B, 2_000, 10).await.unwrap();
        assert_eq!(due, [DueLane { lane: 7, failures: 3 }]);
        let held = lease_as(db, NODE_B, 7, 2_000).await.unwrap();
        assert_eq!((held.failures, held.jobs[0].attempts), (3, 1));
    }

    async fn what_ended_can_be_done_again(db: &TestDb) {
        leave_jobs(db, JobKind::Callback, 7, 1..4).await;
        db.write(|tx| {
            let ends = [
                (JobId(1), JobEnd::Done),
                (JobId(2), JobEnd::GivenUp { fault: "8 days".to_owned() }),
            ];
            end(tx, JobKind::Callback, &ends, 1_100)
        })
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
        let backlog = backlog(db, JobKind::Callback).await.unwrap();
        assert_eq!(
            backlog,
            Backlog { waiting: 1, oldest_created_ms: Some(1_000), given_up: 1 }
        );
        let undone = Which::Undone { lane: 7, from_ms: 1_000, to_ms: 1_001 };
        let done = Which::Done { lane: 7, from_ms: 1_000, to_ms: 1_001 };
        let redone = |which| async move {
            db.write(move |tx| redo(tx, JobKind::Callback, which, 2_000))
                .await
                .map_err(|error: StoreError| error)
                .unwrap()
        };
        assert_eq!(redone(undone).await, 2, "the one given up and the one that waits");
        assert_eq!(redone(done).await, 1);
        assert_eq!(redone(done).await, 0);
        assert_eq!(redone(Which::GivenUp).await, 0);
        assert_eq!(redone(Which::One(JobId(3))).await, 1);
        assert_eq!(redone(Which::One(JobId(99))).await, 0);
        let pruned = db
            .write(|tx| prune(tx, i64::MAX, 10))
            .await
            .map_err(|error: StoreError| error)
            .unwrap();
        assert_eq!(pruned, 0, "what waits is never pruned");
    }

    async fn judging_keeps_its_order_whatever_the_clocks_say(db: &TestDb) {
        for (id, now_ms) in [(9, 5_000), (3, 1_000), (7, 3_000)] {
            db.write(move |tx| {
                let job = NewJob {
                    id: JobId(id),
                    kind: JobKind::Judge,
                    lane: 7,
                    subject: id,
                    due_ms: now_ms,
                };
                leave(tx, &job, now_ms)
            })
            .await
            .map_err(|error: StoreError| error)
            .unwrap();
        }
        assert_eq!(lanes(&due_lanes(db, JobKind::Judge, NODE_B, 1_000, 10).await.unwrap()), [7]);
        let held = db
            .write(|tx| lease(tx, JobKind::Judge, 7, NODE_A, 1_000, 2_000, 10))
            .await
            .map_err(|error: StoreError| error)
            .unwrap()
            .unwrap();
        assert_eq!(held.jobs.iter().map(|job| job.id.0).collect::<Vec<_>>(), [9, 3, 7]);
    }

    async fn a_lease_from_a_clock_that_was_wrong_ends_at_once(db: &TestDb) {
        leave_jobs(db, JobKind::Callback, 7, 1..2).await;
        let far_ms = 1_000 + 10 * 86_400_000;
        db.write(move |tx| lease(tx, JobKind::Callback, 7, NODE_A, 1_000, far_ms, 1))
            .await
            .map_err(|error: StoreError| error)
            .unwrap();
        assert_eq!(lanes(&due_lanes(db, JobKind::Callback, NODE_B, 1_000, 10).await.unwrap()), [7]);
        assert!(lease_as(db, NODE_B, 7, 1_000).await.is_some());
    }
}

crate::on_both_engines! {
    async fn everything_a_partner_is_told_stands_in_one_lane(db: &TestDb) {
        leave_jobs(db, JobKind::Reminder, 7, 1..4).await;
        leave_jobs(db, JobKind::Correction, 7, 4..5).await;
        leave_jobs(db, JobKind::Callback, 7, 5..6).await;
        leave_jobs(db, JobKind::Correction, 8, 6..7).await;
        leave_jobs(db, JobKind::Revocation, 9, 7..8).await;
        assert_eq!(lanes(&due_lanes(db, JobKind::Callback, NODE_A, 1_000, 10).await.unwrap()), [7, 8]);
        assert_eq!(lanes(&due_lanes(db, JobKind::Revocation, NODE_A, 1_000, 10).await.unwrap()), [9]);
        let held = lease_as(db, NODE_A, 7, 1_000).await.unwrap();
        let first: Vec<_> = held.jobs.iter().map(|job| (job.id.0, job.kind)).collect();
        assert_eq!(first, [(5, JobKind::Callback), (4, JobKind::Correction)], "the most urgent go first");
        assert_eq!(backlog(db, JobKind::Reminder).await.unwrap().waiting, 3);
        assert_eq!(backlog(db, JobKind::Callback).await.unwrap().waiting, 1);

        // A breaker that opens for one kind holds all of them.
        db.write(|tx| {
            let ends = [
                (JobId(5), JobEnd::Again { due_ms: 1_100, fault: "timeout".to_owned() }),
                (JobId(4), JobEnd::Done),
            ];
            end(tx, JobKind::Callback, &ends, 1_000)?;
            release(tx, JobKind::Callback, 7, NODE_A, LaneState { failures: 5, paused_until_ms: 2_000 })
        })
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
        assert_eq!(lanes(&due_lanes(db, JobKind::Callback, NODE_B, 1_999, 10).await.unwrap()), [8]);
        assert_eq!(
            due_lanes(db, JobKind::Callback, NODE_B, 2_000, 10).await.unwrap(),
            [DueLane { lane: 8, failures: 0 }, DueLane { lane: 7, failures: 5 }]
        );
        // An operator means all that the partner was told.
        let done = Which::Done { lane: 7, from_ms: 0, to_ms: 5_000 };
        let again = db.write(move |tx| redo(tx, JobKind::Callback, done, 2_000)).await;
        assert_eq!(again.map_err(|error: StoreError| error).unwrap(), 1);
        let one = db.write(|tx| redo(tx, JobKind::Callback, Which::One(JobId(1)), 2_000)).await;
        assert_eq!(one.map_err(|error: StoreError| error).unwrap(), 1);
        let other = db.write(|tx| redo(tx, JobKind::Callback, Which::One(JobId(7)), 2_000)).await;
        assert_eq!(other.map_err(|error: StoreError| error).unwrap(), 0, "a revocation is no notice");
    }

    async fn what_is_looked_at_later_was_not_tried(db: &TestDb) {
        leave_jobs(db, JobKind::Reminder, 7, 1..2).await;
        db.write(|tx| end(tx, JobKind::Callback, &[(JobId(1), JobEnd::Later { due_ms: 5_000 })], 1_000))
            .await
            .map_err(|error: StoreError| error)
            .unwrap();
        assert!(due_lanes(db, JobKind::Callback, NODE_A, 4_999, 10).await.unwrap().is_empty());
        let held = lease_as(db, NODE_A, 7, 5_000).await.unwrap();
        assert_eq!((held.jobs[0].attempts, held.jobs[0].since_ms), (0, 1_000));
    }

    async fn many_jobs_are_left_at_once(db: &TestDb) {
        let jobs: Vec<_> = (1..1_500)
            .map(|id| NewJob { id: JobId(id), kind: JobKind::Reminder, lane: 7, subject: id, due_ms: 1_000 })
            .collect();
        db.write(move |tx| leave_many(tx, &jobs, 1_000)).await.map_err(|error: StoreError| error).unwrap();
        assert_eq!(backlog(db, JobKind::Reminder).await.unwrap().waiting, 1_499);
        let held = lease_as(db, NODE_A, 7, 1_000).await.unwrap();
        assert_eq!(held.jobs[0], Job { id: JobId(1), kind: JobKind::Reminder, subject: 1, due_ms: 1_000, attempts: 0, since_ms: 1_000 });
    }
}
