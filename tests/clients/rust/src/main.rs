// Calls every method of ProbeService and prints what came of each as a line of JSON.
use std::time::Duration;

use probe_client::google::r#type::Money;
use probe_client::probe::v1::probe_service_client::ProbeServiceClient;
use probe_client::probe::v1::{CountRequest, EchoRequest, HoldRequest, OutOfStock, Sample, TakeRequest, TalkRequest};
use probe_client::{declared_error, method, Audience};
use prost::Message;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::Request;

type Failure = Box<dyn std::error::Error>;

#[derive(Deserialize, Serialize)]
struct Values {
    currency: String,
    units: String,
    nanos: i32,
    seconds: String,
    fraction: i32,
    paths: Vec<String>,
    text: String,
    signed: String,
    unsigned: String,
}

#[derive(Deserialize)]
struct Vector {
    values: Values,
    bytes: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let address = format!("http://{}", std::env::var("PROBE_ADDRESS")?);
    let channel = Channel::from_shared(address)?.connect().await?;
    let mut probe = ProbeServiceClient::new(channel);

    let mut request = authorized(EchoRequest { sample: Some(Sample { text: "hello".into(), ..Default::default() }) })?;
    request.metadata_mut().insert("x-probe", MetadataValue::from_static("ping"));
    let response = probe.echo(request).await?;
    let trailer = |key| response.metadata().get(key).map(|value| value.to_str().unwrap_or_default());
    let text = response.get_ref().sample.as_ref().map(|sample| &sample.text);
    say("unary", json!({"text": text, "answer": trailer("x-probe-answer"), "user": trailer("x-probe-user")}));

    let mut counting = probe.count(authorized(CountRequest { to: 3 })?).await?.into_inner();
    let mut numbers = vec![];
    while let Some(response) = counting.message().await? {
        numbers.push(response.number);
    }
    say("stream", json!({ "numbers": numbers }));

    let (questions, receiver) = tokio::sync::mpsc::channel(1);
    let mut texts = vec![];
    questions.send(TalkRequest { text: "one".into() }).await?;
    let mut answers = probe.talk(authorized(ReceiverStream::new(receiver))?).await?.into_inner();
    texts.push(answers.message().await?.map(|answer| answer.text));
    questions.send(TalkRequest { text: "two".into() }).await?; // goes out when the first is answered
    texts.push(answers.message().await?.map(|answer| answer.text));
    drop(questions);
    say("talk", json!({"texts": texts, "ended": answers.message().await?.is_none()}));

    let mut request = authorized(HoldRequest { milliseconds: 5000 })?;
    request.set_timeout(Duration::from_millis(200));
    let late = probe.hold(request).await.expect_err("it takes too long");
    say("deadline", json!({"code": late.code() as i32}));

    let status = probe.take(authorized(TakeRequest { sku: "tea".into() })?).await.expect_err("there is never enough");
    let declared = declared_error::<OutOfStock>(&status);
    let another = declared_error::<Sample>(&status).is_some();
    let found = declared.is_some();
    let OutOfStock { sku, available } = declared.unwrap_or_default();
    let code = status.code() as i32;
    say("error", json!({"code": code, "found": found, "another": another, "sku": sku, "available": available}));

    let refused = probe.echo(EchoRequest { sample: Some(Sample::default()) }).await.expect_err("there is no token");
    say("without a token", json!({"code": refused.code() as i32}));

    let echo = method("probe.v1.ProbeService/Echo").ok_or("not in the table")?;
    let user = echo.audience == Audience::User;
    say("table", json!({"deadline": echo.deadline.as_millis() as u64, "repeatable": echo.repeatable, "user": user}));

    vectors(&mut probe).await
}

async fn vectors(probe: &mut ProbeServiceClient<Channel>) -> Result<(), Failure> {
    let given: Vec<Vector> = serde_json::from_slice(&std::fs::read(std::env::var("PROBE_VECTORS")?)?)?;
    let (mut encoded, mut echoed, mut decoded) = (vec![], vec![], vec![]);
    for Vector { values, bytes } in given {
        let sample = Sample {
            price: Some(Money { currency_code: values.currency, units: values.units.parse()?, nanos: values.nanos }),
            time: Some(prost_types::Timestamp { seconds: values.seconds.parse()?, nanos: values.fraction }),
            mask: Some(prost_types::FieldMask { paths: values.paths }),
            text: values.text,
            signed: values.signed.parse()?,
            unsigned: values.unsigned.parse()?,
        };
        encoded.push(hex(&sample));
        let response = probe.echo(authorized(EchoRequest { sample: Some(sample) })?).await?.into_inner();
        echoed.push(hex(&response.sample.ok_or("no sample")?));

        let read = Sample::decode(unhex(&bytes)?.as_slice())?;
        let (price, time) = (read.price.ok_or("no price")?, read.time.ok_or("no time")?);
        decoded.push(Values {
            currency: price.currency_code,
            units: price.units.to_string(),
            nanos: price.nanos,
            seconds: time.seconds.to_string(),
            fraction: time.nanos,
            paths: read.mask.ok_or("no mask")?.paths,
            text: read.text,
            signed: read.signed.to_string(),
            unsigned: read.unsigned.to_string(),
        });
    }
    say("vectors", json!({"encoded": encoded, "echoed": echoed, "decoded": decoded}));
    Ok(())
}

fn authorized<T>(message: T) -> Result<Request<T>, Failure> {
    let mut request = Request::new(message);
    let token = format!("Bearer {}", std::env::var("PROBE_TOKEN")?);
    request.metadata_mut().insert("authorization", token.parse()?);
    Ok(request)
}

fn hex(message: &impl Message) -> String {
    message.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, Failure> {
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}

fn say(step: &str, mut fields: Value) {
    fields["step"] = step.into();
    println!("{fields}");
}
