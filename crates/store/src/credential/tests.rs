//! Stories about holders, faces, numbers, and those who wait for a password.

use super::holders::{self, Password};
use super::requests::{self, Request, State};
use super::{biz_nos, faces};
use crate::db::{Db, StoreError};
use crate::health_card::persons::Identity;
use crate::health_card::{Claim, register};
use crate::ids::{HealthCardPersonId, PartnerId, PasswordRequestId};
use crate::vault::tests::vault;

const PERSON: HealthCardPersonId = HealthCardPersonId(7);
const HOSPITAL: PartnerId = PartnerId(1);

fn identity() -> Identity {
    Identity {
        id_type: "01".to_owned(),
        id_no: "11010519491231002X".to_owned(),
        user_name: "张三".to_owned(),
        user_sex: None,
        birthday: None,
        mobile_phone: None,
        by_himself: false,
    }
}

async fn register_one(db: &Db) {
    db.write(|tx| -> Result<(), StoreError> {
        let vault = vault(1);
        let claim = Claim::new(&vault, PERSON, identity(), None);
        register(tx, &vault, &claim, "test", 1)?;
        assert!(holders::open(tx, PERSON, "350100", None, 1)?);
        assert!(!holders::open(tx, PERSON, "350200", None, 2)?);
        Ok(())
    })
    .await
    .unwrap();
}

fn request(id: i64) -> Request {
    Request {
        id: PasswordRequestId(id),
        person: PERSON,
        partner: HOSPITAL,
        business_type: "01301".to_owned(),
        office: "内科".to_owned(),
        expires_ms: 1_000,
    }
}

crate::on_both_engines! {
    async fn a_holder_is_found_both_ways(db: &TestDb) {
        register_one(db).await;
        let vault = vault(1);
        let by_id = holders::by_id(db, &vault, PERSON).await.unwrap().unwrap();
        assert_eq!(by_id.insu_org, "350100");
        assert!(by_id.person.identity == identity());
        let index = identity().index(&vault);
        let by_index = holders::by_index(db, &vault, &index).await.unwrap();
        assert_eq!(by_index, Some(by_id));
        let nobody = HealthCardPersonId(8);
        assert_eq!(holders::by_id(db, &vault, nobody).await.unwrap(), None);
    }

    async fn a_password_s_standing_is_kept(db: &TestDb) {
        register_one(db).await;
        let standing = Password {
            sealed: Some(b"digest".to_vec()),
            wrong_tries: 4,
            locked_until_ms: Some(50),
        };
        let put = standing.clone();
        let held = db
            .write(move |tx| -> Result<_, StoreError> {
                holders::put_password(tx, PERSON, &put, 2)?;
                assert_eq!(holders::hold_password(tx, HealthCardPersonId(8))?, None);
                holders::hold_password(tx, PERSON)
            })
            .await
            .unwrap();
        assert_eq!(held, Some(standing.clone()));
        assert_eq!(standing.locked_until(49), Some(50));
        assert_eq!(standing.locked_until(50), None);
    }

    async fn a_number_is_used_once_by_each(db: &TestDb) {
        db.write(|tx| -> Result<(), StoreError> {
            assert!(biz_nos::use_up(tx, HOSPITAL, "20251121001", 1)?);
            assert!(!biz_nos::use_up(tx, HOSPITAL, "20251121001", 2)?);
            assert!(biz_nos::use_up(tx, PartnerId(2), "20251121001", 3)?);
            assert_eq!(biz_nos::prune(tx, 3, 10)?, 1);
            assert!(biz_nos::use_up(tx, HOSPITAL, "20251121001", 4)?);
            Ok(())
        })
        .await
        .unwrap();
    }

    async fn a_face_is_told_once(db: &TestDb) {
        let face = faces::Face {
            person: PERSON,
            partner: HOSPITAL,
            expires_ms: 100,
            used_ms: None,
        };
        db.write(move |tx| -> Result<(), StoreError> {
            faces::add(tx, &[1; 32], &face, PartnerId(9), 1)?;
            assert!(faces::use_up(tx, &[1; 32], 4)?);
            faces::give_back(tx, &[1; 32])?;
            assert!(faces::use_up(tx, &[1; 32], 5)?);
            assert!(!faces::use_up(tx, &[1; 32], 6)?);
            Ok(())
        })
        .await
        .unwrap();
        let used = faces::Face { used_ms: Some(5), ..face };
        assert_eq!(faces::by_code(db, &[1; 32]).await.unwrap(), Some(used));
        assert_eq!(faces::by_code(db, &[2; 32]).await.unwrap(), None);
        for (before_ms, gone) in [(100, 0), (101, 1)] {
            let pruned = db.write(move |tx| faces::prune(tx, before_ms, 10)).await.unwrap();
            assert_eq!(pruned, gone);
        }
    }

    async fn a_request_moves_once(db: &TestDb) {
        db.write(|tx| -> Result<(), StoreError> {
            for id in 1..=3 {
                assert!(requests::add(tx, &request(id), 3, 10)?);
            }
            assert!(!requests::add(tx, &request(4), 3, 10)?);
            assert!(requests::end(tx, PasswordRequestId(1), PERSON, State::Right, 20)?);
            assert!(!requests::end(tx, PasswordRequestId(1), PERSON, State::Wrong, 21)?);
            let somebody_else = HealthCardPersonId(8);
            assert!(!requests::end(tx, PasswordRequestId(2), somebody_else, State::Right, 20)?);
            assert!(!requests::end(tx, PasswordRequestId(2), PERSON, State::Right, 1_000)?);
            requests::give_up(tx, PasswordRequestId(1))?;
            requests::give_up(tx, PasswordRequestId(2))?;
            Ok(())
        })
        .await
        .unwrap();
        let open = requests::open_of(db, PERSON, 20).await.unwrap();
        assert_eq!(open, [request(3)]);
        assert_eq!(requests::open_of(db, PERSON, 1_000).await.unwrap(), []);
        db.write(|tx| requests::lock(tx, PERSON)).await.unwrap();
        for (id, state) in [(1, State::Right), (2, State::Over), (3, State::Locked)] {
            let stands = requests::state(db, PasswordRequestId(id)).await.unwrap();
            assert_eq!(stands, state);
        }
        assert!(requests::state(db, PasswordRequestId(9)).await.is_err());
    }
}
