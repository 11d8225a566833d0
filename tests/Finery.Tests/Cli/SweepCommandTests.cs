using System.Text.Json.Nodes;
using Finery.Tests.EndToEnd;
using Xunit;

namespace Finery.Tests.Cli;

/// <summary>A sweep of real, very small trainings as a user runs it.</summary>
public sealed class SweepCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-sweep-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string WriteSweep()
    {
        string corpus = Path.Combine(_folder, "corpus.jsonl"), sweep = Path.Combine(_folder, "sweep.yaml");
        File.WriteAllLines(corpus, SmallCorpus.Lines(300));
        File.WriteAllText(Path.Combine(_folder, "base.yaml"), $$"""
            name: base
            seed: 7
            steps:
              corpus: { type: read, paths: ['{{corpus}}'] }
              tokenizer: { type: train-tokenizer, documents: corpus, vocab_size: 512 }
              tokens: { type: tokenize, documents: corpus, tokenizer: tokenizer }
              pretrain:
                tokens: tokens
                tokenizer: tokenizer
                model: { layers: 2, width: 32, heads: 2, kv_heads: 1, feed_forward: 64 }
                sequence_length: 32
                rows: 4
                steps: 60
                checkpoint_seconds: 0.1
            """);
        File.WriteAllText(sweep, """
            name: rates
            recipe: base.yaml
            metric: pretrain.final_loss
            seeds: [1, 2]
            variants:
              small: { pretrain.learning_rate: 1e-6 }
              right: { pretrain.learning_rate: 1e-2 }
            claims:
              - { statement: "the right rate learns", better: right, than: small, threshold: 0.2 }
              - { statement: "the small rate learns", better: small, than: right }
              - { statement: "the right rate needs half of the steps", better: right, than: small, by: steps_to_reach, threshold: 0.5 }
            """);
        return sweep;
    }

    [Fact]
    public void A_sweep_is_planned_run_killed_and_continued_to_the_same_bytes()
    {
        string sweep = WriteSweep(), whole = Path.Combine(_folder, "whole"), killed = Path.Combine(_folder, "killed");
        var (code, output) = FineryProcess.Run("sweep", sweep, "--out", whole, "--dry-run");
        Assert.True(code == 0, output);
        Assert.Contains("4 trials, 7 steps, 3 of them common to all", output);
        Assert.False(Directory.Exists(whole));

        (code, output) = FineryProcess.Run("sweep", sweep, "--out", whole, "--threads", "2");
        Assert.True(code == 0, output);
        Assert.Contains("the right rate learns: reproduced", output);
        Assert.Contains("the small rate learns: not reproduced at this scale", output);
        string file = Path.Combine(whole, "sweep.json");
        var record = JsonNode.Parse(File.ReadAllText(file))!;
        Assert.Equal(["reproduced", "not reproduced at this scale", "reproduced"], record["claims"]!.AsArray().Select(claim => (string?)claim!["verdict"]));
        // Paired: with a rate that changes next to nothing, both seeds begin as their trials of the other rate do.
        Assert.Equal(First(whole, "pretrain-small-s1"), First(whole, "pretrain-right-s1"));
        Assert.NotEqual(First(whole, "pretrain-small-s1"), First(whole, "pretrain-small-s2"));
        Assert.Contains("<h2>Claims</h2>", File.ReadAllText(Path.Combine(whole, "report.html")));

        using (var process = FineryProcess.Start("sweep", sweep, "--out", killed, "--threads", "1"))
        {
            process.ExitsBefore(() => process.Output.Contains("pretrain-right-s1: started"));
            process.Kill();
        }
        (code, output) = FineryProcess.Run("sweep", sweep, "--out", killed, "--threads", "1");
        Assert.True(code == 0, output);
        Assert.DoesNotContain("tokenizer: started", output);
        Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(killed, "sweep.json")));

        // Two lengths of one size are no law.
        (code, output) = FineryProcess.Run("scaling", "fit", whole, "--method", "constants");
        Assert.Equal(2, code);
        Assert.Contains("all of one size or one length", output);
    }

    [Fact]
    public void A_wrong_sweep_exits_with_2_and_shows_the_line()
    {
        string sweep = WriteSweep();
        File.WriteAllText(sweep, File.ReadAllText(sweep).Replace("pretrain.learning_rate: 1e-2", "pretrain.learning_rat: 1e-2"));
        var (code, output) = FineryProcess.Run("sweep", sweep, "--out", Path.Combine(_folder, "run"));
        Assert.Equal(2, code);
        Assert.Contains("sweep.yaml:7:12", output);
        Assert.Contains("(did you mean 'learning_rate'?)", output);
        Assert.Contains("    7 |", output);
        (code, output) = FineryProcess.Run("sweep", Path.Combine(_folder, "nowhere.yaml"));
        Assert.Equal(2, code);
        Assert.Contains("nowhere.yaml", output);
    }

    private static string First(string run, string step) => JsonNode.Parse(
        File.ReadLines(Path.Combine(run, step, "metrics.jsonl")).First())!["values"]!["loss"]!.ToJsonString();
}
