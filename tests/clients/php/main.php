<?php
// Prints what this client makes of values, of a status and of the table, each as a line of JSON. There is no call: the
// extension grpc does not come with PHP.

use Google\Protobuf\FieldMask;
use Google\Protobuf\Timestamp;
use Google\Type\Money;
use Probe\V1\OutOfStock;
use Probe\V1\Sample;
use ProbeClient\Audience;
use ProbeClient\DeclaredErrors;
use ProbeClient\Methods;

// As Composer's autoloader: the package, google/common-protos, google/protobuf.
spl_autoload_register(function (string $class): void {
    foreach (['../generated/php/src', 'common-protos', '/usr/share/php'] as $folder) {
        $path = $folder . '/' . str_replace('\\', '/', $class) . '.php';
        if (is_file($path)) {
            require $path;
            return;
        }
    }
});

function say(string $step, array $fields): void
{
    $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR;
    echo json_encode(['step' => $step] + $fields, $flags), "\n";
}

// PHP has no unsigned integers: those above PHP_INT_MAX are the negative ones.
function unsigned(string $decimal): int
{
    [$high, $low] = [0, 0];
    foreach (str_split($decimal) as $digit) {
        $low = $low * 10 + (int) $digit;
        $high = ($high * 10 + ($low >> 32)) & 0xffffffff;
        $low &= 0xffffffff;
    }
    return $high << 32 | $low;
}

$status = (object) ['metadata' => ['grpc-status-details-bin' => [hex2bin(getenv('PROBE_STATUS'))]]];
$declared = DeclaredErrors::find($status, OutOfStock::class);
say('error', [
    'found' => $declared !== null,
    'another' => DeclaredErrors::find($status, Sample::class) !== null,
    'none' => DeclaredErrors::find((object) ['metadata' => []], OutOfStock::class),
    'sku' => $declared?->getSku(),
    'available' => $declared?->getAvailable(),
]);

$echo = Methods::all()['probe.v1.ProbeService/Echo'];
say('table', [
    'deadline' => $echo->deadline,
    'repeatable' => $echo->repeatable,
    'user' => $echo->audience === Audience::User,
]);

$encoded = [];
$decoded = [];
foreach (json_decode(file_get_contents(getenv('PROBE_VECTORS')), true, 512, JSON_THROW_ON_ERROR) as $vector) {
    $values = $vector['values'];
    $sample = new Sample([
        'price' => new Money([
            'currency_code' => $values['currency'], 'units' => (int) $values['units'], 'nanos' => $values['nanos'],
        ]),
        'time' => new Timestamp(['seconds' => (int) $values['seconds'], 'nanos' => $values['fraction']]),
        'mask' => new FieldMask(['paths' => $values['paths']]),
        'text' => $values['text'],
        'signed' => (int) $values['signed'],
        'unsigned' => unsigned($values['unsigned']),
    ]);
    $encoded[] = bin2hex($sample->serializeToString());

    $read = new Sample();
    $read->mergeFromString(hex2bin($vector['bytes']));
    $decoded[] = [
        'currency' => $read->getPrice()->getCurrencyCode(),
        'units' => (string) $read->getPrice()->getUnits(),
        'nanos' => $read->getPrice()->getNanos(),
        'seconds' => (string) $read->getTime()->getSeconds(),
        'fraction' => $read->getTime()->getNanos(),
        'paths' => iterator_to_array($read->getMask()->getPaths()),
        'text' => $read->getText(),
        'signed' => (string) $read->getSigned(),
        'unsigned' => sprintf('%u', $read->getUnsigned()),
    ];
}
say('vectors', ['encoded' => $encoded, 'decoded' => $decoded]);
