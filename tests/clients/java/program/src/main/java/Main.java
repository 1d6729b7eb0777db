import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.protobuf.FieldMask;
import com.google.protobuf.Timestamp;
import com.google.type.Money;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import probe.client.DeclaredErrors;
import probe.client.Methods;
import probe.v1.CountRequest;
import probe.v1.EchoRequest;
import probe.v1.HoldRequest;
import probe.v1.OutOfStock;
import probe.v1.ProbeServiceGrpc;
import probe.v1.Sample;
import probe.v1.TakeRequest;
import probe.v1.TalkRequest;
import probe.v1.TalkResponse;

/** Calls every method of ProbeService and prints what came of each as a line of JSON. */
public final class Main {
  private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create();
  private static final HexFormat HEX = HexFormat.of();

  record Values(
      String currency,
      String units,
      int nanos,
      String seconds,
      int fraction,
      List<String> paths,
      String text,
      String signed,
      String unsigned) {}

  record Vector(Values values, String bytes) {}

  public static void main(String[] arguments) throws Exception {
    ManagedChannel channel =
        ManagedChannelBuilder.forTarget(System.getenv("PROBE_ADDRESS")).usePlaintext().build();
    try {
      call(channel);
    } finally {
      channel.shutdownNow();
    }
  }

  private static void call(ManagedChannel channel) throws Exception {
    ClientInterceptor authorized = headers("authorization", "Bearer " + System.getenv("PROBE_TOKEN"));
    var probe = ProbeServiceGrpc.newBlockingStub(channel).withInterceptors(authorized);

    var trailers = new AtomicReference<Metadata>();
    var capture = MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers);
    var hello = EchoRequest.newBuilder().setSample(Sample.newBuilder().setText("hello")).build();
    var response = probe.withInterceptors(headers("x-probe", "ping"), capture).echo(hello);
    String text = response.getSample().getText();
    say("unary", "text", text, "answer", trailers.get().get(key("x-probe-answer")), "user", trailers.get().get(key("x-probe-user")));

    List<Integer> numbers = new ArrayList<>();
    probe.count(CountRequest.newBuilder().setTo(3).build()).forEachRemaining(count -> numbers.add(count.getNumber()));
    say("stream", "numbers", numbers);

    talk(ProbeServiceGrpc.newStub(channel).withInterceptors(authorized));

    var late = failure(() -> probe.withDeadlineAfter(200, TimeUnit.MILLISECONDS).hold(HoldRequest.newBuilder().setMilliseconds(5000).build()));
    say("deadline", "code", late.getStatus().getCode().value());

    var error = failure(() -> probe.take(TakeRequest.newBuilder().setSku("tea").build()));
    Optional<OutOfStock> declared = DeclaredErrors.find(error, OutOfStock.class);
    boolean another = DeclaredErrors.find(error, Sample.class).isPresent();
    String sku = declared.map(OutOfStock::getSku).orElse("");
    int available = declared.map(OutOfStock::getAvailable).orElse(0);
    int code = error.getStatus().getCode().value();
    say("error", "code", code, "found", declared.isPresent(), "another", another, "sku", sku, "available", available);

    var refused = failure(() -> ProbeServiceGrpc.newBlockingStub(channel).echo(hello));
    say("without a token", "code", refused.getStatus().getCode().value());

    var echo = Methods.ALL.get(ProbeServiceGrpc.getEchoMethod().getFullMethodName());
    boolean user = echo.audience() == Methods.Audience.USER;
    say("table", "deadline", echo.deadline().toMillis(), "repeatable", echo.repeatable(), "user", user);

    vectors(probe);
  }

  private static void talk(ProbeServiceGrpc.ProbeServiceStub probe) throws InterruptedException {
    var answers = new LinkedBlockingQueue<Optional<String>>();
    StreamObserver<TalkRequest> questions =
        probe.talk(
            new StreamObserver<>() {
              @Override
              public void onNext(TalkResponse answer) {
                answers.add(Optional.of(answer.getText()));
              }

              @Override
              public void onError(Throwable error) {
                error.printStackTrace();
                System.exit(1);
              }

              @Override
              public void onCompleted() {
                answers.add(Optional.empty());
              }
            });
    List<String> texts = new ArrayList<>();
    for (String question : List.of("one", "two")) { // the second goes out when the first is answered
      questions.onNext(TalkRequest.newBuilder().setText(question).build());
      texts.add(answers.take().orElseThrow());
    }
    questions.onCompleted();
    say("talk", "texts", texts, "ended", answers.take().isEmpty());
  }

  private static void vectors(ProbeServiceGrpc.ProbeServiceBlockingStub probe) throws Exception {
    Vector[] given = JSON.fromJson(Files.readString(Path.of(System.getenv("PROBE_VECTORS"))), Vector[].class);
    List<String> encoded = new ArrayList<>();
    List<String> echoed = new ArrayList<>();
    List<Values> decoded = new ArrayList<>();
    for (Vector vector : given) {
      Values values = vector.values();
      Sample sample =
          Sample.newBuilder()
              .setPrice(
                  Money.newBuilder()
                      .setCurrencyCode(values.currency())
                      .setUnits(Long.parseLong(values.units()))
                      .setNanos(values.nanos()))
              .setTime(
                  Timestamp.newBuilder().setSeconds(Long.parseLong(values.seconds())).setNanos(values.fraction()))
              .setMask(FieldMask.newBuilder().addAllPaths(values.paths()))
              .setText(values.text())
              .setSigned(Long.parseLong(values.signed()))
              .setUnsigned(Long.parseUnsignedLong(values.unsigned()))
              .build();
      encoded.add(HEX.formatHex(sample.toByteArray()));
      var response = probe.echo(EchoRequest.newBuilder().setSample(sample).build());
      echoed.add(HEX.formatHex(response.getSample().toByteArray()));

      Sample read = Sample.parseFrom(HEX.parseHex(vector.bytes()));
      decoded.add(
          new Values(
              read.getPrice().getCurrencyCode(),
              Long.toString(read.getPrice().getUnits()),
              read.getPrice().getNanos(),
              Long.toString(read.getTime().getSeconds()),
              read.getTime().getNanos(),
              read.getMask().getPathsList(),
              read.getText(),
              Long.toString(read.getSigned()),
              Long.toUnsignedString(read.getUnsigned())));
    }
    say("vectors", "encoded", encoded, "echoed", echoed, "decoded", decoded);
  }

  private static StatusRuntimeException failure(Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      return error;
    }
    throw new IllegalStateException("the call did not fail");
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static ClientInterceptor headers(String name, String value) {
    var metadata = new Metadata();
    metadata.put(key(name), value);
    return MetadataUtils.newAttachHeadersInterceptor(metadata);
  }

  private static void say(String step, Object... pairs) {
    Map<String, Object> line = new LinkedHashMap<>(Map.of("step", step));
    for (int i = 0; i < pairs.length; i += 2) {
      line.put((String) pairs[i], pairs[i + 1]);
    }
    System.out.println(JSON.toJson(line));
  }
}
