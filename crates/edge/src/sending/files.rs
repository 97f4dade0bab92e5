//! Files that a HIS leaves in the drop folder: their rows go the way of those that come by HTTP.

use banyan_store::db::StoreError;

use tokio::sync::watch;

use super::LOOK_EVERY;
use crate::edge::Edge;
use crate::files::{FileEnd, FileTrouble, Folder, TakesRows, in_chinese};
use crate::outbox::taking::Moment;
use crate::rows::{Row, Taken};

/// The folder, if there is one, and when it was looked at.
pub(super) struct Drop {
    folder: Option<Folder>,
    looked_ms: i64,
    is_prepared: bool,
}

impl Drop {
    pub(super) fn new(edge: &Edge) -> Self {
        Self {
            folder: Folder::of(&edge.settings.files),
            looked_ms: 0,
            is_prepared: false,
        }
    }

    /// Looks again and again until it is stopped.
    pub(super) async fn run(&mut self, edge: &Edge, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() && self.folder.is_some() {
            // A file that is left half way is read again from its beginning, as after a crash.
            let looked = async {
                self.look(edge, edge.now_ms()).await;
                tokio::time::sleep(LOOK_EVERY).await;
            };
            tokio::select! {
                () = looked => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Looks when it is time.
    pub(super) async fn look(&mut self, edge: &Edge, now_ms: i64) {
        let since_ms = now_ms - self.looked_ms;
        let Some(folder) = &self.folder else {
            return;
        };
        if (0..edge.settings.files.look_every_ms).contains(&since_ms) {
            return;
        }
        self.looked_ms = now_ms;
        if !self.is_prepared {
            match folder.prepare() {
                Ok(()) => self.is_prepared = true,
                Err(error) => {
                    tracing::error!(%error, "the drop folder can't be made");
                    edge.note_drop(Some(format!(
                        "文件交接目录无法建立：{}",
                        in_chinese(&error)
                    )));
                    return;
                }
            }
        }
        let mut trouble = None;
        match folder.work(edge, now_ms).await {
            Ok(outcomes) => {
                for outcome in outcomes {
                    // The file's name is its maker's and may hold anything.
                    match outcome.end {
                        FileEnd::Done { new, repeated, bad } => {
                            tracing::info!(new, repeated, bad, "a file was taken")
                        }
                        FileEnd::Unreadable(_) => tracing::warn!("a file can't be read at all"),
                        FileEnd::Stays(FileTrouble::Changed) => {}
                        FileEnd::Stays(why) => {
                            tracing::warn!(trouble = ?why, "a file stays");
                            trouble = Some(format!("文件交接目录中的文件暂时处理不了：{why}"));
                        }
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "the drop folder can't be looked at");
                trouble = Some(format!("文件交接目录无法读取：{}", in_chinese(&error)));
            }
        }
        edge.note_drop(trouble);
    }
}

impl TakesRows for Edge {
    async fn take(&self, rows: Vec<Row>) -> Result<Vec<Taken>, StoreError> {
        let now_ms = self.now_ms();
        let taken = self
            .take_rows(rows, Moment::of(self, now_ms, false))
            .await?
            .taken;
        self.note_his();
        Ok(taken)
    }
}
