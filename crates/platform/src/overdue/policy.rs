//! 是否享受先诊后付: when somebody with unpaid items may still be treated first.

use banyan_protocol::ambient::DAY_MS;
use banyan_protocol::dictionaries::Next;
use banyan_store::overdue::items::UnpaidItem;

use crate::settings::{AppealedItems, NextPolicy};

/// Decides by the policy; the default is the guide's own rule, no unpaid item (1.2.2).
#[must_use]
pub fn next(policy: &NextPolicy, unpaid: &[UnpaidItem], now_ms: i64) -> Next {
    let counted = unpaid.iter().filter(|item| {
        let grown = now_ms - item.actual_ms >= i64::from(policy.grace_days) * DAY_MS;
        let of_kind = policy.fee_types.is_empty() || policy.fee_types.contains(&item.fee_type);
        let aside = item.appealed && policy.appealed == AppealedItems::SetAside;
        grown && of_kind && !aside
    });
    let (count, amount_fen) = counted.fold((0_usize, 0_i64), |(count, sum), item| {
        (count + 1, sum.saturating_add(item.amount_fen))
    });
    let few = count <= policy.max_items as usize;
    let little = policy.max_amount_fen == 0 || amount_fen <= policy.max_amount_fen;
    if few && little { Next::Yes } else { Next::No }
}

#[cfg(test)]
mod tests {
    use banyan_store::ids::{ItemId, PartnerId};

    use super::*;

    fn item(fee_type: &str, amount_fen: i64, age_days: i64) -> UnpaidItem {
        UnpaidItem {
            id: ItemId(1),
            partner: PartnerId(1),
            fee_type: fee_type.to_owned(),
            item_name: "诊查费".to_owned(),
            amount_fen,
            actual_ms: 100 * DAY_MS - age_days * DAY_MS,
            appealed: false,
        }
    }

    #[test]
    fn by_default_one_unpaid_item_is_one_too_many() {
        let policy = NextPolicy::default();
        assert_eq!(next(&policy, &[], 100 * DAY_MS), Next::Yes);
        assert_eq!(next(&policy, &[item("01", 1, 0)], 100 * DAY_MS), Next::No);
    }

    #[test]
    fn an_appealed_item_counts_unless_it_is_set_aside() {
        let appealed = UnpaidItem {
            appealed: true,
            ..item("01", 1, 0)
        };
        let mut policy = NextPolicy::default();
        let items = [appealed];
        assert_eq!(next(&policy, &items, 100 * DAY_MS), Next::No);
        policy.appealed = AppealedItems::SetAside;
        assert_eq!(next(&policy, &items, 100 * DAY_MS), Next::Yes);
        let both = [items[0].clone(), item("01", 1, 0)];
        assert_eq!(next(&policy, &both, 100 * DAY_MS), Next::No);
    }

    #[test]
    fn counts_amounts_days_and_kinds_can_be_set() {
        let policy = NextPolicy {
            max_items: 2,
            max_amount_fen: 10_000,
            grace_days: 7,
            fee_types: vec!["01".to_owned()],
            appealed: AppealedItems::Count,
        };
        let decide = |items: &[UnpaidItem]| next(&policy, items, 100 * DAY_MS);
        let (small, large) = (item("01", 5_000, 7), item("01", 10_001, 7));
        assert_eq!(decide(&[small.clone(), small.clone()]), Next::Yes);
        assert_eq!(
            decide(&[small.clone(), small.clone(), small.clone()]),
            Next::No
        );
        assert_eq!(decide(&[large]), Next::No);
        assert_eq!(
            decide(&[item("01", 10_001, 6), item("02", 10_001, 9)]),
            Next::Yes
        );
    }
}
