using Finery.Benchmarks;

// dotnet run -c Release --project benchmarks/Finery.Benchmarks -- NAME [--threads 1,2]
// One line of JSON per case. Another benchmark is a class with a Run and a line here.
// compare [--only TEXT] [--threads 1,2] [--pytorch SCRIPT]; decoding and profile [--only TEXT] [--threads 1,2];
// scaling RUN_FOLDER [--threads N] [--runs 64x2:1,128x4:1.2];
// curation [--megabytes 25] [--scale 20] [--memory 256] [--workers 2]; deduplication, extraction, fasttext, filters, formats: see each;
// monitoring [--threads 2] [--rounds 15];
// tokenizer-training [FILE...] [--gigabytes 1] [--vocab 32768] [--threads 2];
// tokenizers [--tokenizer FILE] [--npm FOLDER] [--threads 1,2] [--only TEXT] [--data FOLDER] [--code FOLDER] [--megabytes 16] [--rounds 5]
var benchmarks = new Dictionary<string, Action<string[]>>(StringComparer.Ordinal)
{
    ["compare"] = arguments => CompareBenchmark.Run(Options.Parse(arguments)),
    ["curation"] = CurationBenchmark.Run,
    ["decoding"] = arguments => GemmBenchmark.Run(Options.Parse(arguments), GemmBenchmark.Decoding),
    ["deduplication"] = DeduplicationBenchmark.Run,
    ["extraction"] = ExtractionBenchmark.Run,
    ["fasttext"] = FastTextBenchmark.Run,
    ["filters"] = FiltersBenchmark.Run,
    ["formats"] = FormatsBenchmark.Run,
    ["monitoring"] = MonitoringBenchmark.Run,
    ["profile"] = arguments => ProfileBenchmark.Run(Options.Parse(arguments)),
    ["scaling"] = ScalingBenchmark.Run,
    ["tokenizer-training"] = TokenizerTrainingBenchmark.Run,
    ["tokenizers"] = TokenizerBenchmark.Run,
};

if (args.Length == 0 || !benchmarks.TryGetValue(args[0], out var run))
{
    Console.Error.WriteLine($"usage: NAME [options]; NAME is one of: {string.Join(", ", benchmarks.Keys)}");
    return 2;
}
try
{
    run(args[1..]);
    return 0;
}
catch (FormatException exception)
{
    Console.Error.WriteLine(exception.Message);
    return 2;
}
