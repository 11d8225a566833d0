using System.Security.Cryptography;
using Xunit;

namespace Finery.Tests.EndToEnd;

/// <summary>The whole recipe on a small corpus with a fixed plan, killed again and again: the same bytes as without.</summary>
public sealed class KillAndResumeTests : IDisposable
{
    private static readonly string[] Models = ["pretrain", "finetune", "align"];

    private const int MaxKills = 14;

    private readonly string _folder = Directory.CreateTempSubdirectory("finery-kill-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Killed_at_any_moment_and_started_again_it_ends_with_the_same_bytes_on_any_threads()
    {
        string recipe = WriteRecipe();
        var (code, output) = Run(recipe, "whole", threads: 2);
        Assert.True(code == 0, output);

        var random = new Random(1);
        string killed = Path.Combine(_folder, "killed");
        int kills = 0;
        var finishedBefore = new HashSet<string>();
        for (bool done = false; !done;)
        {
            Assert.True(kills < MaxKills + 1, "the run makes no progress");
            using var process = FineryProcess.Start("run", recipe, "--out", killed, "--threads", "1");
            // Once a step is under way, a kill at a random moment; after the last kill it may finish.
            process.ExitsBefore(() => process.Output.Contains(": started"));
            if (process.WaitForExit(kills == MaxKills ? 300_000 : random.Next(1500)))
            {
                process.WaitForExit();
                Assert.True(process.ExitCode == 0, process.Output);
                done = true;
            }
            else
            {
                process.Kill();
                kills++;
            }
            // What was finished before must not have run again.
            foreach (string step in finishedBefore) Assert.DoesNotContain($"{step}: started", process.Output);
            finishedBefore = FinishedSteps(killed);
        }
        Assert.True(kills >= 3, $"killed only {kills} times");

        foreach (string model in Models)
        {
            string file = Path.Combine(model, "model", "model.safetensors");
            Assert.Equal(Hash(Path.Combine(_folder, "whole", file)), Hash(Path.Combine(killed, file)));
        }
        Assert.True(File.Exists(Path.Combine(killed, "report.html")));
    }

    [Fact]
    public void A_finished_run_does_nothing_when_it_is_run_again()
    {
        string recipe = WriteRecipe();
        Assert.Equal(0, Run(recipe, "twice", threads: 2, "--until", "tokens").ExitCode);
        var before = Directory.GetFiles(Path.Combine(_folder, "twice", "corpus"), "*", SearchOption.AllDirectories)
            .ToDictionary(path => path, File.GetLastWriteTimeUtc);
        var (code, output) = Run(recipe, "twice", threads: 1, "--until", "tokens");
        Assert.True(code == 0, output);
        Assert.DoesNotContain(": started", output);
        foreach (var (path, time) in before) Assert.Equal(time, File.GetLastWriteTimeUtc(path));
    }

    private (int ExitCode, string Output) Run(string recipe, string name, int threads, params IEnumerable<string> more) =>
        FineryProcess.Run(["run", recipe, "--out", Path.Combine(_folder, name), "--threads", threads.ToString(), .. more]);

    private static HashSet<string> FinishedSteps(string run) => !Directory.Exists(run) ? [] : [.. Directory.GetFiles(run, "step.json", SearchOption.AllDirectories)
        .Where(path => File.ReadAllText(path).Contains("\"state\": \"finished\"")).Select(path => Path.GetFileName(Path.GetDirectoryName(path)!))];

    private static string Hash(string path) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)));

    private string WriteRecipe()
    {
        string corpus = Path.Combine(_folder, "corpus.jsonl");
        if (!File.Exists(corpus)) File.WriteAllLines(corpus, SmallCorpus.Lines(600));
        string recipe = Path.Combine(_folder, "recipe.yaml");
        File.WriteAllText(recipe, $$"""
            name: small
            seed: 7
            steps:
              corpus: { type: read, paths: ['{{corpus}}'] }
              clean: { type: filter, documents: corpus, filters: [{ filter: length, min_words: 4 }] }
              distinct: { type: deduplicate, documents: clean }
              split: { documents: distinct, fraction: 0.1 }
              tokenizer: { type: train-tokenizer, documents: split.train, vocab_size: 600 }
              tokens: { type: tokenize, documents: split.train, tokenizer: tokenizer }
              dialogues: { train: split.train, heldout: split.heldout }
              pretrain:
                tokens: tokens
                tokenizer: tokenizer
                model: { layers: 2, width: 64, heads: 2, kv_heads: 1, feed_forward: 160 }
                sequence_length: 64
                rows: 8
                steps: 300
                checkpoint_seconds: 0.3
              finetune: { model: pretrain, conversations: dialogues, steps: 60, rows: 8 }
              align: { model: finetune, preferences: dialogues, steps: 30, pairs: 8, max_tokens: 60 }
              evaluate: { models: [pretrain, finetune, align], heldout: split.heldout, questions: dialogues, train: split.train, compression_megabytes: 1 }
            """);
        return recipe;
    }
}
