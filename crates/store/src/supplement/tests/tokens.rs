//! Who is let in: channels, codes and tokens.

use super::super::channels::{self, Channel, Keys};
use super::super::tokens::{self, Redeemed};
use super::*;
use crate::overdue::links::TokenCode;
use crate::partners;
use crate::testing::number;

const CODE: TokenCode = TokenCode([1; 32]);
const ONE: PartnerId = PartnerId(1);

async fn issue(db: &Db, now_ms: i64) {
    db.write(move |tx| tokens::issue_code(tx, CODE, ONE, now_ms, now_ms + 60))
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
}

async fn redeem(db: &Db, partner: PartnerId, token: u8, now_ms: i64) -> Redeemed {
    let token = TokenCode([token; 32]);
    db.write(move |tx| tokens::redeem(tx, CODE, partner, token, now_ms, now_ms + 1_000))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

async fn lets_in(db: &Db, partner: PartnerId, token: u8, now_ms: i64) -> bool {
    tokens::check(db, TokenCode([token; 32]), partner, now_ms)
        .await
        .unwrap()
}

crate::on_both_engines! {
    async fn a_code_gives_one_token_to_its_channel(db: &TestDb) {
        issue(db, 100).await;
        assert_eq!(redeem(db, PartnerId(2), 7, 110).await, Redeemed::Unknown, "a stolen code is worth nothing elsewhere");
        assert_eq!(redeem(db, ONE, 7, 159).await, Redeemed::Done);
        assert!(lets_in(db, ONE, 7, 159).await);
        assert!(!lets_in(db, PartnerId(2), 7, 159).await, "nor is a stolen token");
        assert!(!lets_in(db, ONE, 8, 159).await);
        assert!(lets_in(db, ONE, 7, 1_158).await);
        assert!(!lets_in(db, ONE, 7, 1_159).await, "it is over");
    }

    async fn a_code_that_comes_twice_ends_the_token_that_it_gave(db: &TestDb) {
        issue(db, 100).await;
        assert_eq!(redeem(db, ONE, 7, 110).await, Redeemed::Done);
        assert_eq!(redeem(db, ONE, 8, 120).await, Redeemed::UsedBefore);
        assert!(!lets_in(db, ONE, 7, 121).await);
        assert!(!lets_in(db, ONE, 8, 121).await);
    }

    async fn a_code_is_over_after_its_time(db: &TestDb) {
        issue(db, 100).await;
        assert_eq!(redeem(db, ONE, 7, 160).await, Redeemed::Expired);
        let expire = async |before| db.write(move |tx| tokens::expire(tx, before, 10)).await.map_err(|error: StoreError| error).unwrap();
        assert_eq!((expire(159).await, expire(160).await), (0, 1));
        assert_eq!(redeem(db, ONE, 7, 130).await, Redeemed::Unknown);
    }

    async fn of_many_tries_with_one_code_one_gets_a_token(db: &TestDb) {
        issue(db, 100).await;
        let tries = (0..20).map(|token| redeem(db, ONE, token, 110));
        let redeemed = futures_util::future::join_all(tries).await;
        assert_eq!(redeemed.iter().filter(|one| **one == Redeemed::Done).count(), 1);
        assert_eq!(redeemed.iter().filter(|one| **one == Redeemed::UsedBefore).count(), 19);
        assert_eq!(number(db, "SELECT COUNT(*) FROM channel_token").await, 1);
    }

    async fn an_operator_ends_a_channels_tokens_and_codes(db: &TestDb) {
        issue(db, 100).await;
        redeem(db, ONE, 7, 110).await;
        db.write(|tx| tokens::issue_code(tx, TokenCode([2; 32]), ONE, 110, 170)).await.map_err(|error: StoreError| error).unwrap();
        let revoke = async |partner| db.write(move |tx| tokens::revoke(tx, partner, 120)).await.map_err(|error: StoreError| error).unwrap();
        assert_eq!((revoke(PartnerId(2)).await, revoke(ONE).await, revoke(ONE).await), (0, 1, 0));
        assert!(!lets_in(db, ONE, 7, 121).await);
        let late = db.write(|tx| tokens::redeem(tx, TokenCode([2; 32]), ONE, TokenCode([9; 32]), 121, 1_000)).await;
        assert_eq!(late.map_err(|error: StoreError| error).unwrap(), Redeemed::Expired);
    }

    async fn a_channel_is_set_and_set_anew(db: &TestDb) {
        let mut channel = Channel {
            level: 1,
            enc_type: "SM4".to_owned(),
            sign_type: "SM3".to_owned(),
            service_ids: vec!["100002".to_owned(), "100005".to_owned()],
            strict: true,
            keys: Keys::default(),
        };
        let put = async |channel: &Channel| {
            let channel = channel.clone();
            db.write(move |tx| channels::put(tx, &vault(), ONE, &channel, 1)).await.map_err(|error: StoreError| error).unwrap();
        };
        put(&channel).await;
        assert_eq!(channels::all(db, &vault()).await.unwrap(), [(ONE, channel.clone())]);
        let revision = partners::revision(db).await.unwrap();
        channel.level = 4;
        channel.keys.ours = Some("-----BEGIN PRIVATE KEY-----".to_owned());
        put(&channel).await;
        assert_eq!(channels::all(db, &vault()).await.unwrap(), [(ONE, channel)]);
        assert_eq!(partners::revision(db).await.unwrap(), revision + 1, "every node reads it anew");
        assert_eq!(number(db, "SELECT COUNT(*) FROM insurer_channel").await, 1);
    }
}
