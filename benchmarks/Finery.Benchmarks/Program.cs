using Finery.Benchmarks;

// dotnet run -c Release --project benchmarks/Finery.Benchmarks -- NAME [--threads 1,2]
// One line of JSON per case. Another benchmark is a class with a Run and a line here.
var benchmarks = new Dictionary<string, Action<Options>>(StringComparer.Ordinal)
{
    ["gemm"] = GemmBenchmark.Run,
};

if (args.Length == 0 || !benchmarks.TryGetValue(args[0], out var run))
{
    Console.Error.WriteLine($"usage: NAME [--threads 1,2] [--only TEXT]; NAME is one of: {string.Join(", ", benchmarks.Keys)}");
    return 2;
}
try
{
    run(Options.Parse(args.AsSpan(1)));
    return 0;
}
catch (FormatException exception)
{
    Console.Error.WriteLine(exception.Message);
    return 2;
}
