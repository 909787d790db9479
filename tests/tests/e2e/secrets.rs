//! Secrets by every way that there is. That none of them is in a log, `scripts/audit` says, when the stack is down and its logs are whole.

use std::collections::BTreeMap;

use hubbub_aws::system::System;
use hubbub_client::Start;
use hubbub_core::ports::Clock;
use hubbub_tests::fixture::Fixture;
use hubbub_tests::secrets::Planted;
use hubbub_tests::service::Service;
use hubbub_tests::token::Tokens;
use serde_json::json;

/// More than a body may have.
const TOO_MUCH: usize = 1_000;

#[tokio::test]
async fn secrets_go_by_every_way_and_are_noted_for_the_logs_check() {
    let fixture = Fixture::new().await;
    // Letters and digits alone, which nothing that is written to a log changes.
    let body = fixture.unique("body").replace('-', "");
    let (room, large, ana, ben) =
        (fixture.unique("secret"), fixture.unique("secrets"), fixture.unique("ana"), fixture.unique("ben"));
    let now = System.now().0 / 1_000;
    let expired = fixture.tokens.sign_until(&ana, now - 31).unwrap();
    let forged = Tokens::new(fixture.unique("another key")).sign(&ana).unwrap();
    let unusable = fixture.tokens.sign_for(&ana, json!({"join": [body]})).unwrap();
    for token in [&expired, &forged] {
        fixture.try_token(Some(token.clone())).await;
    }

    let mut in_address = fixture.options(&ben);
    let in_header = fixture.options(&ana);
    let tokens = [&in_address, &in_header].map(|options| options.connection.token.clone().unwrap());
    let token = in_address.connection.token.take().unwrap();
    in_address.connection.url = format!("{}?token={token}", in_address.connection.url);
    let mut b = fixture.connect_with(in_address).await;
    let a = fixture.connect_with(in_header).await;
    let mut limited = fixture.options(&ana);
    limited.connection.token = Some(unusable.clone());
    let limited = fixture.connect_with(limited).await;
    for member in [&a, &b] {
        member.client.join_room(&room).await.unwrap();
    }

    // By clients and services, to few and to many, to who is there and to who comes back.
    let service = Service::new(&fixture.stack, "orders");
    let text = json!({"text": body});
    a.client.publish(&room, &text, Some("client")).await.unwrap();
    service.send(&format!("room:{room}"), "service", &text).await.unwrap();
    assert_eq!(b.next_ids(2).await, ["client", "service"]);
    b.client.join_room(&large).await.unwrap();
    fixture.fill_room(&large).await;
    service.send(&format!("room:{large}"), "many", &text).await.unwrap();
    assert_eq!(b.next_ids(1).await, ["many"]);
    let away = fixture.unique("away");
    a.client.direct(&away, &text, Some("direct")).await.unwrap();
    assert_eq!(
        fixture.connect_with(fixture.options(&away).inbox(Start::Beginning)).await.next_ids(1).await,
        ["direct"]
    );

    // What is refused, by the functions that clients speak to.
    let too_much = body.repeat(TOO_MUCH);
    for frame in [
        body.clone(),
        json!({ "action": body }).to_string(),
        json!({"action": "join", "room": format!("{body} {body}")}).to_string(),
        json!({"action": "publish", "room": "elsewhere", "body": body}).to_string(),
        json!({"action": "publish", "room": room, "body": too_much}).to_string(),
    ] {
        a.error_to(&frame).await;
        limited.error_to(&frame).await;
    }
    // And what becomes a dead letter: the message behind them says that they have been seen.
    let group = format!("room:{room}");
    let letter = |channel: &str, id: &str, body: &str| {
        json!({"v": 1, "channel": channel, "id": id, "from": "orders", "body": body}).to_string()
    };
    for (number, garbage) in
        [body.clone(), letter("room:elsewhere", "wrong", &body), letter(&group, "large", &too_much)].iter().enumerate()
    {
        service.send_raw(&group, &format!("garbage-{number}"), garbage).await.unwrap();
    }
    service.send(&group, "end", &text).await.unwrap();
    assert_eq!(b.next_ids(1).await, ["end"]);

    let [token_in_address, token_in_header] = tokens;
    let secrets = BTreeMap::from([
        ("body", body),
        ("expired token", expired),
        ("forged token", forged),
        ("token in the address", token_in_address),
        ("token in the header", token_in_header),
        ("token key", fixture.tokens.key().to_owned()),
        ("token with few rights", unusable),
    ]);
    let witnesses = vec![group, format!("room:{large}")];
    Planted { secrets, witnesses }.note(&fixture.stack).unwrap();
}
