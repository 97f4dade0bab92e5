//! One run: cases one after the other, each with its outcome.

use std::time::Instant;

use crate::heard::{Checked, Fault};
use crate::report::{CaseResult, Outcome, Report, Side};
use crate::{BadTarget, Target};

/// What a case is, whoever is tested.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) why: &'static str,
    pub(crate) section: &'static str,
    pub(crate) mend: &'static str,
}

pub(crate) struct Run<'a> {
    report: Report,
    tell: &'a mut (dyn FnMut(&CaseResult) + Send),
}

impl<'a> Run<'a> {
    /// Begins, if anybody is there.
    pub(crate) async fn begin(
        side: Side,
        target: &Target,
        tell: &'a mut (dyn FnMut(&CaseResult) + Send),
    ) -> Result<Self, BadTarget> {
        target.reach().await?;
        let report = Report {
            side,
            url: target.url.to_string(),
            org_id: target.org_id.clone(),
            began_ms: target.clock.now_ms(),
            cases: Vec::new(),
        };
        Ok(Self { report, tell })
    }

    /// Plays a case.
    pub(crate) async fn case(&mut self, case: Case, playing: impl Future<Output = Checked>) {
        let began = Instant::now();
        let (outcome, seen) = match playing.await {
            Ok(()) => (Outcome::Passed, None),
            Err(Fault::Failed(why)) => (Outcome::Failed, Some(why)),
            Err(Fault::Skipped(why)) => (Outcome::Skipped, Some(why)),
        };
        let result = CaseResult {
            id: case.id,
            title: case.title,
            why: case.why,
            section: case.section,
            mend: case.mend,
            outcome,
            seen,
            took_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
        };
        (self.tell)(&result);
        self.report.cases.push(result);
    }

    pub(crate) fn end(self) -> Report {
        self.report
    }
}

/// A case in one line.
pub(crate) const fn case(
    id: &'static str,
    section: &'static str,
    title: &'static str,
    why: &'static str,
    mend: &'static str,
) -> Case {
    Case {
        id,
        title,
        why,
        section,
        mend,
    }
}
