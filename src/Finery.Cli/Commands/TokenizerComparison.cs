using System.Diagnostics;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Data.Readers;
using Finery.Data.Tokenizers;
using Finery.Workflow.Steps;

namespace Finery.Cli.Commands;

/// <summary>Two tokenizers on the same texts: how few tokens they take, whether their ids agree, how fast they are.</summary>
internal static class TokenizerComparison
{
    private const double LeastSeconds = 0.5;

    /// <summary>Measures both, on one thread.</summary>
    /// <param name="first">Path of a tokenizer.</param>
    /// <param name="second">Path of another.</param>
    /// <param name="inputs">Files, folders or globs, as the <c>read</c> step takes them.</param>
    /// <param name="megabytes">Text that is read at most.</param>
    /// <param name="streams">Where what was skipped is said.</param>
    public static JsonObject Of(string first, string second, IReadOnlyList<string> inputs, int megabytes, Streams streams)
    {
        Tokenizer[] tokenizers = [TokenizerFacts.Load(first), TokenizerFacts.Load(second)];
        var read = new ReadReport();
        var texts = Texts(inputs, (long)megabytes << 20, read);
        TokenizerTexts.Warn(read, streams);
        if (texts.Count == 0) throw new UsageException("--input: the files have no text.");

        var report = TokenizerReport.Measure(texts, tokenizers);
        var json = report.ToJson("a", "b");
        int shared = TokenizerReport.SharedTokens(tokenizers[0], tokenizers[1]);
        for (int i = 0; i < 2; i++)
        {
            var facts = (JsonObject)json["ab"[i].ToString()]!;
            facts.Insert(0, "path", Path.GetFullPath(i == 0 ? first : second));
            facts["mib_per_second"] = Math.Round(Speed(tokenizers[i], texts, report.Total.Bytes), 1);
        }
        var compared = new JsonObject
        {
            ["ids_equal"] = report.EqualTexts == texts.Count,
            ["same_tokenizer"] = tokenizers[0].Fingerprint == tokenizers[1].Fingerprint,
            ["shared_tokens"] = shared,
        };
        foreach (var (name, value) in json.ToList())
        {
            json.Remove(name);
            compared[name] = value;
        }
        return compared;
    }

    private static List<ReportText> Texts(IReadOnlyList<string> inputs, long mostBytes, ReadReport read)
    {
        var texts = new List<ReportText>();
        try
        {
            foreach (var document in DocumentReader.ForPaths(inputs).Read(read))
            {
                texts.Add(TokenizerSample.TextOf(document));
                if (read.Bytes >= mostBytes) break;
            }
        }
        catch (FileNotFoundException missing)
        {
            throw new UsageException($"--input: {missing.Message}");
        }
        return texts;
    }

    private static double Speed(Tokenizer tokenizer, List<ReportText> texts, long bytes)
    {
        var ids = new List<int>();
        long start = Stopwatch.GetTimestamp();
        int rounds = 0;
        do
        {
            foreach (var text in texts)
            {
                ids.Clear();
                tokenizer.Encode(text.Text, ids);
            }
            rounds++;
        }
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < LeastSeconds);
        return rounds * (bytes / 1048576.0) / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
