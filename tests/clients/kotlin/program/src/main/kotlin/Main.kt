import com.google.gson.GsonBuilder
import com.google.protobuf.fieldMask
import com.google.protobuf.timestamp
import com.google.type.Money
import io.grpc.CallOptions
import io.grpc.Channel
import io.grpc.ClientCall
import io.grpc.ClientInterceptor
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener
import io.grpc.ManagedChannelBuilder
import io.grpc.Metadata
import io.grpc.MethodDescriptor
import io.grpc.Status
import io.grpc.StatusException
import java.io.File
import java.util.HexFormat
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.channels.Channel as Queue
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import probe.client.Audience
import probe.client.METHODS
import probe.client.declaredError
import probe.v1.OutOfStock
import probe.v1.ProbeServiceGrpc
import probe.v1.ProbeServiceGrpcKt.ProbeServiceCoroutineStub
import probe.v1.Sample
import probe.v1.countRequest
import probe.v1.echoRequest
import probe.v1.holdRequest
import probe.v1.sample
import probe.v1.takeRequest
import probe.v1.talkRequest

// Calls every method of ProbeService and prints what came of each as a line of JSON.

private val JSON = GsonBuilder().disableHtmlEscaping().create()
private val HEX: HexFormat = HexFormat.of()

data class Values(
  val currency: String,
  val units: String,
  val nanos: Int,
  val seconds: String,
  val fraction: Int,
  val paths: List<String>,
  val text: String,
  val signed: String,
  val unsigned: String,
)

data class Vector(val values: Values, val bytes: String)

fun say(step: String, vararg pairs: Pair<String, Any?>) = println(JSON.toJson(mapOf("step" to step, *pairs)))

fun key(name: String): Metadata.Key<String> = Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER)

fun headers(vararg pairs: Pair<String, String>) = Metadata().apply { for ((name, value) in pairs) put(key(name), value) }

suspend fun failure(call: suspend () -> Any): StatusException {
  try {
    call()
  } catch (error: StatusException) {
    return error
  }
  error("the call did not fail")
}

/** Keeps the trailers of the last call: a coroutine stub returns the message only. */
class Trailers : ClientInterceptor {
  var last = Metadata()

  override fun <Q, A> interceptCall(method: MethodDescriptor<Q, A>, options: CallOptions, next: Channel) =
    object : SimpleForwardingClientCall<Q, A>(next.newCall(method, options)) {
      override fun start(listener: ClientCall.Listener<A>, headers: Metadata) =
        super.start(
          object : SimpleForwardingClientCallListener<A>(listener) {
            override fun onClose(status: Status, trailers: Metadata) {
              last = trailers
              super.onClose(status, trailers)
            }
          },
          headers,
        )
    }
}

fun main() {
  val channel = ManagedChannelBuilder.forTarget(System.getenv("PROBE_ADDRESS")).usePlaintext().build()
  try {
    runBlocking { call(channel) }
  } finally {
    channel.shutdownNow()
  }
}

suspend fun call(channel: Channel) {
  val probe = ProbeServiceCoroutineStub(channel)
  val token = "authorization" to "Bearer ${System.getenv("PROBE_TOKEN")}"
  val authorized = headers(token)

  val trailers = Trailers()
  val hello = echoRequest { sample = sample { text = "hello" } }
  val text = probe.withInterceptors(trailers).echo(hello, headers(token, "x-probe" to "ping")).sample.text
  fun trailer(name: String) = trailers.last.get(key(name))
  say("unary", "text" to text, "answer" to trailer("x-probe-answer"), "user" to trailer("x-probe-user"))

  say("stream", "numbers" to probe.count(countRequest { to = 3 }, authorized).map { it.number }.toList())

  val answered = Queue<Unit>(Queue.UNLIMITED)
  val questions = flow {
    for (question in listOf("one", "two")) {
      emit(talkRequest { this.text = question })
      answered.receive() // the second goes out when the first is answered
    }
  }
  val texts = probe.talk(questions, authorized).onEach { answered.send(Unit) }.map { it.text }.toList()
  say("talk", "texts" to texts, "ended" to true)

  val late = failure {
    probe.withDeadlineAfter(200, TimeUnit.MILLISECONDS).hold(holdRequest { milliseconds = 5000 }, authorized)
  }
  say("deadline", "code" to late.status.code.value())

  val error = failure { probe.take(takeRequest { sku = "tea" }, authorized) }
  val declared = declaredError<OutOfStock>(error)
  say(
    "error",
    "code" to error.status.code.value(),
    "found" to (declared != null),
    "another" to (declaredError<Sample>(error) != null),
    "sku" to declared?.sku,
    "available" to declared?.available,
  )

  say("without a token", "code" to failure { probe.echo(hello) }.status.code.value())

  val echo = METHODS.getValue(ProbeServiceGrpc.getEchoMethod().fullMethodName)
  say(
    "table",
    "deadline" to echo.deadline.inWholeMilliseconds,
    "repeatable" to echo.repeatable,
    "user" to (echo.audience == Audience.USER),
  )

  vectors(probe, authorized)
}

suspend fun vectors(probe: ProbeServiceCoroutineStub, authorized: Metadata) {
  val given = JSON.fromJson(File(System.getenv("PROBE_VECTORS")).readText(), Array<Vector>::class.java)
  val samples = given.map { (values) ->
    sample {
      price =
        Money.newBuilder()
          .setCurrencyCode(values.currency)
          .setUnits(values.units.toLong())
          .setNanos(values.nanos)
          .build()
      time = timestamp {
        seconds = values.seconds.toLong()
        nanos = values.fraction
      }
      mask = fieldMask { paths += values.paths }
      text = values.text
      signed = values.signed.toLong()
      unsigned = values.unsigned.toULong().toLong()
    }
  }
  val echoed = samples.map { probe.echo(echoRequest { sample = it }, authorized).sample }
  val decoded = given.map { (_, bytes) ->
    val read = Sample.parseFrom(HEX.parseHex(bytes))
    Values(
      read.price.currencyCode,
      read.price.units.toString(),
      read.price.nanos,
      read.time.seconds.toString(),
      read.time.nanos,
      read.mask.pathsList,
      read.text,
      read.signed.toString(),
      read.unsigned.toULong().toString(),
    )
  }
  fun hex(messages: List<Sample>) = messages.map { HEX.formatHex(it.toByteArray()) }
  say("vectors", "encoded" to hex(samples), "echoed" to hex(echoed), "decoded" to decoded)
}
