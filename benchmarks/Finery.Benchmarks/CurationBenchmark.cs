using System.Diagnostics;
using System.Text.Json;
using Finery.Data.Readers;

namespace Finery.Benchmarks;

/// <summary>
/// Peak memory and speed of the whole command, <c>finery curate</c> in a process of its own, over generated text of one size and
/// of many times that size at the same settings: <c>curation [--megabytes 25] [--scale 20] [--memory 256] [--workers 2]</c>. One
/// JSON line a size.
/// </summary>
internal static class CurationBenchmark
{
    private const string Recipe = """
        name: curation
        steps:
          curate:
            type: curate
            part_megabytes: 16
            stages:
              - stage: gopher_repetition
              - stage: length
                min_words: 5
              - stage: exact
              - stage: minhash
              - stage: pii
        """;

    public static void Run(string[] args)
    {
        int megabytes = Options.Number(args, "--megabytes", 25), scale = Options.Number(args, "--scale", 20);
        int memory = Options.Number(args, "--memory", 256), workers = Options.Number(args, "--workers", 2);
        string folder = Directory.CreateTempSubdirectory("finery-curation-").FullName;
        try
        {
            string recipe = Path.Combine(folder, "recipe.yaml");
            File.WriteAllText(recipe, Recipe);
            foreach (int size in new[] { megabytes, megabytes * scale }) Measure(folder, recipe, size, memory, workers);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Measure(string folder, string recipe, int megabytes, int memory, int workers)
    {
        string input = Path.Combine(folder, $"input-{megabytes}.jsonl"), output = Path.Combine(folder, $"out-{megabytes}");
        long documents = Generate(input, (long)megabytes << 20);
        string program = Path.Combine(Repository.Root, "src", "Finery.Cli", "bin", "Release", "net10.0", "finery.dll");
        if (!File.Exists(program)) throw new FormatException($"build the solution first: there is no {program}.");
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList =
            {
                program, "curate", recipe, "--input", input, "--out", output, "--workers", $"{workers}",
                "--memory-megabytes", $"{memory}",
            },
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        long peak = 0;
        while (!process.WaitForExit(50))
        {
            process.Refresh();
            peak = Math.Max(peak, process.PeakWorkingSet64);
        }
        Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["case"] = $"curate {megabytes} MiB",
            ["documents"] = documents,
            ["seconds"] = Math.Round(clock.Elapsed.TotalSeconds, 1),
            ["MiB/s"] = Math.Round(megabytes / clock.Elapsed.TotalSeconds, 2),
            ["peak_MiB"] = peak >> 20,
            ["memory_setting_MiB"] = memory,
            ["workers"] = workers,
            ["exit_code"] = process.ExitCode,
        }));
        Directory.Delete(output, recursive: true);
        File.Delete(input);
    }

    /// <summary>Sentences of the SDK's documentation in random order, a tenth of the documents copies of another with a word
    /// changed.</summary>
    private static long Generate(string path, long bytes)
    {
        string[] sentences = [.. new DotNetDocumentationReader().Read(new())
            .Select(document => document.Text.ReplaceLineEndings(" "))
            .Where(text => text.Length is > 40 and < 400).Distinct().Take(20_000)];
        var random = new Random(1);
        string[] recent = new string[64];
        using var file = new StreamWriter(path);
        long written = 0, count = 0;
        for (; written < bytes; count++)
        {
            string text = random.Next(10) == 0 && recent[0] is not null
                ? recent[random.Next((int)Math.Min(count, recent.Length))] + " again"
                : string.Join(' ', Enumerable.Range(0, random.Next(4, 16)).Select(_ => sentences[random.Next(sentences.Length)]));
            recent[count % recent.Length] = text;
            string line = JsonSerializer.Serialize(new { id = $"d{count}", text });
            file.WriteLine(line);
            written += line.Length + 1;
        }
        return count;
    }
}
