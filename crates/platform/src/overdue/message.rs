//! The message of a batch, as it came and as it is kept.

use banyan_protocol::overdue::org_mdl_001::ReportRequest;
use banyan_protocol::overdue::org_mdl_003::UpdateRequest;
use banyan_protocol::wire::{self, WebAddress};
use banyan_store::db::StoreError;
use banyan_store::overdue::batches::{Batch, BatchKind};
use banyan_store::vault::{Place, Vault};

use super::person::Claimed;

/// The first byte of a content that is packed (LZ4, its length before it); one that is not is JSON.
const PACKED: u8 = 1;

/// What a hospital sent.
#[derive(Debug)]
pub(super) enum Message {
    /// ORG_MDL_001
    Report(ReportRequest),
    /// ORG_MDL_003
    Update(UpdateRequest),
}

impl Message {
    pub(super) const fn kind(&self) -> BatchKind {
        match self {
            Self::Report(_) => BatchKind::Report,
            Self::Update(_) => BatchKind::Update,
        }
    }

    pub(super) fn org_request_id(&self) -> &str {
        match self {
            Self::Report(request) => request.orgRequestId.as_str(),
            Self::Update(request) => request.orgRequestId.as_str(),
        }
    }

    pub(super) const fn notify_url(&self) -> &WebAddress {
        match self {
            Self::Report(request) => &request.notifyUrl,
            Self::Update(request) => &request.notifyUrl,
        }
    }

    /// The message as we write it, so that the same content is the same text however the
    /// hospital's JSON library spaced or ordered it.
    pub(super) fn write(&self) -> String {
        match self {
            Self::Report(request) => wire::write(request),
            Self::Update(request) => wire::write(request),
        }
    }

    /// Seals a message's text to be kept, packed first: it repeats itself in every item.
    pub(super) fn seal(vault: &Vault, text: &str) -> Vec<u8> {
        let mut packed = vec![PACKED];
        packed.extend(lz4_flex::block::compress_prepend_size(text.as_bytes()));
        vault.seal(Place::BatchContent, &packed)
    }

    /// Reads what was kept of a batch.
    pub(super) fn open(vault: &Vault, batch: &Batch, sealed: &[u8]) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt(format!("the content of batch {}", batch.id));
        let content = vault.open(Place::BatchContent, sealed)?;
        let text = match content.split_first() {
            Some((&PACKED, packed)) => {
                lz4_flex::block::decompress_size_prepended(packed).map_err(|_| corrupt())?
            }
            // What was taken in by a version that did not pack.
            _ => content,
        };
        let json = std::str::from_utf8(&text).map_err(|_| corrupt())?;
        Ok(match batch.kind {
            BatchKind::Report => Self::Report(wire::read(json).map_err(|_| corrupt())?),
            BatchKind::Update => Self::Update(wire::read(json).map_err(|_| corrupt())?),
        })
    }

    /// Whom it names.
    pub(super) fn claims(&self) -> Vec<Claimed<'_>> {
        match self {
            Self::Report(request) => request.persons().iter().map(Claimed::of_report).collect(),
            Self::Update(request) => vec![Claimed::of_update(request)],
        }
    }
}
