//! Secrets by every way that there is. That none of them is in a log, `scripts/audit` says, when the stack is down and its logs are whole.

use std::collections::BTreeMap;

use hubbub_aws::system::System;
use hubbub_client::Start;
use hubbub_core::ports::Clock;
use hubbub_tests::scene::Scene;
use hubbub_tests::secrets::Planted;
use hubbub_tests::service::Service;
use hubbub_tests::token::Tokens;
use serde_json::json;

/// More than a body may have.
const TOO_MUCH: usize = 1_000;

#[tokio::test]
async fn secrets_go_by_every_way_and_are_noted_for_the_logs_check() {
    let scene = Scene::set().await;
    // Letters and digits alone, which nothing that is written to a log changes.
    let body = scene.own("body").replace('-', "");
    let (room, large, ana, ben) = (scene.own("secret"), scene.own("secrets"), scene.own("ana"), scene.own("ben"));
    let now = System.now().0 / 1_000;
    let expired = scene.tokens.sign_until(&ana, now - 31).unwrap();
    let forged = Tokens::new(scene.own("another key")).sign(&ana).unwrap();
    let unusable = scene.tokens.sign_for(&ana, json!({"join": [body]})).unwrap();
    for token in [&expired, &forged] {
        scene.try_token(Some(token.clone())).await;
    }

    let mut in_address = scene.options(&ben);
    let in_header = scene.options(&ana);
    let tokens = [&in_address, &in_header].map(|options| options.connection.token.clone().unwrap());
    let token = in_address.connection.token.take().unwrap();
    in_address.connection.url = format!("{}?token={token}", in_address.connection.url);
    let mut b = scene.connect_with(in_address).await;
    let a = scene.connect_with(in_header).await;
    let mut limited = scene.options(&ana);
    limited.connection.token = Some(unusable.clone());
    let limited = scene.connect_with(limited).await;
    for member in [&a, &b] {
        member.client.join_room(&room).await.unwrap();
    }

    // By clients and services, to few and to many, to who is there and to who comes back.
    let service = Service::new(&scene.stack, "orders");
    let text = json!({"text": body});
    a.client.publish(&room, &text, Some("client")).await.unwrap();
    service.send(&format!("room:{room}"), "service", &text).await.unwrap();
    assert_eq!(b.next_ids(2).await, ["client", "service"]);
    b.client.join_room(&large).await.unwrap();
    scene.crowd(&large).await;
    service.send(&format!("room:{large}"), "many", &text).await.unwrap();
    assert_eq!(b.next_ids(1).await, ["many"]);
    let away = scene.own("away");
    a.client.direct(&away, &text, Some("direct")).await.unwrap();
    assert_eq!(scene.connect_with(scene.options(&away).inbox(Start::Beginning)).await.next_ids(1).await, ["direct"]);

    // What is refused, by the functions that clients speak to.
    let too_much = body.repeat(TOO_MUCH);
    for frame in [
        body.clone(),
        json!({ "action": body }).to_string(),
        json!({"action": "join", "room": format!("{body} {body}")}).to_string(),
        json!({"action": "publish", "room": "elsewhere", "body": body}).to_string(),
        json!({"action": "publish", "room": room, "body": too_much}).to_string(),
    ] {
        a.say(&frame).await;
        limited.say(&frame).await;
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
        ("token key", scene.tokens.key().to_owned()),
        ("token with few rights", unusable),
    ]);
    let witnesses = vec![group, format!("room:{large}")];
    Planted { secrets, witnesses }.note(&scene.stack).unwrap();
}
