# frozen_string_literal: true

# Calls every method of ProbeService and prints what came of each as a line of JSON.
require 'json'
require 'probe_client'

include Probe::V1 # rubocop:disable Style/MixinUsage

def say(step, **fields)
  puts JSON.generate({ step: step, **fields })
end

def failure
  yield
  raise 'the call did not fail'
rescue GRPC::BadStatus => e
  e
end

def hex(message)
  message.class.encode(message).unpack1('H*')
end

probe = ProbeService::Stub.new(ENV.fetch('PROBE_ADDRESS'), :this_channel_is_insecure)
authorized = { 'authorization' => "Bearer #{ENV.fetch('PROBE_TOKEN')}" }

call = probe.echo(
  EchoRequest.new(sample: Sample.new(text: 'hello')),
  metadata: authorized.merge('x-probe' => 'ping'), return_op: true
)
text = call.execute.sample.text
say('unary', text: text, answer: call.trailing_metadata['x-probe-answer'], user: call.trailing_metadata['x-probe-user'])

say('stream', numbers: probe.count(CountRequest.new(to: 3), metadata: authorized).map(&:number))

answered = Queue.new
questions = Enumerator.new do |sent|
  %w[one two].each do |question|
    sent << TalkRequest.new(text: question)
    answered.pop # the second goes out when the first is answered
  end
end
texts = probe.talk(questions, metadata: authorized).map do |answer|
  answered << true
  answer.text
end
say('talk', texts: texts, ended: true)

late = failure { probe.hold(HoldRequest.new(milliseconds: 5000), metadata: authorized, deadline: Time.now + 0.2) }
say('deadline', code: late.code)

error = failure { probe.take(TakeRequest.new(sku: 'tea'), metadata: authorized) }
declared = ProbeClient.declared_error(error, OutOfStock)
another = ProbeClient.declared_error(error, Sample)
say('error', code: error.code, found: !declared.nil?, another: !another.nil?,
             sku: declared&.sku, available: declared&.available)

refused = failure { probe.echo(EchoRequest.new(sample: Sample.new)) }
say('without a token', code: refused.code)

echo = ProbeClient::METHODS.fetch('probe.v1.ProbeService/Echo')
say('table', deadline: (echo.deadline * 1000).round, repeatable: echo.repeatable, user: echo.audience == :User)

given = JSON.parse(File.read(ENV.fetch('PROBE_VECTORS')))
samples = given.map do |vector|
  values = vector['values']
  Sample.new(
    price: Google::Type::Money.new(
      currency_code: values['currency'], units: values['units'].to_i, nanos: values['nanos']
    ),
    time: Google::Protobuf::Timestamp.new(seconds: values['seconds'].to_i, nanos: values['fraction']),
    mask: Google::Protobuf::FieldMask.new(paths: values['paths']),
    text: values['text'], signed: values['signed'].to_i, unsigned: values['unsigned'].to_i
  )
end
echoed = samples.map { |sample| hex(probe.echo(EchoRequest.new(sample: sample), metadata: authorized).sample) }
decoded = given.map do |vector|
  read = Sample.decode([vector['bytes']].pack('H*'))
  {
    currency: read.price.currency_code, units: read.price.units.to_s, nanos: read.price.nanos,
    seconds: read.time.seconds.to_s, fraction: read.time.nanos, paths: read.mask.paths.to_a,
    text: read.text, signed: read.signed.to_s, unsigned: read.unsigned.to_s
  }
end
say('vectors', encoded: samples.map { |sample| hex(sample) }, echoed: echoed, decoded: decoded)
