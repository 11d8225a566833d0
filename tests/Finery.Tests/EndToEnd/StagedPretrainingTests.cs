using System.Security.Cryptography;
using System.Text.Json;
using Xunit;

namespace Finery.Tests.EndToEnd;

/// <summary>Pretraining in stages over two sources, with everything that has state, then a longer context behind its gates.</summary>
public sealed class StagedPretrainingTests : IDisposable
{
    private const int MaxKills = 10;

    private readonly string _folder = Directory.CreateTempSubdirectory("finery-stages-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Killed_at_any_moment_it_ends_with_the_same_bytes_on_any_threads()
    {
        string recipe = WriteRecipe();
        string whole = Path.Combine(_folder, "whole"), killed = Path.Combine(_folder, "killed");
        var (code, output) = FineryProcess.Run("run", recipe, "--out", whole, "--threads", "2");
        Assert.True(code == 0, output);
        Assert.Contains("\"kind\":\"nonfinite\"", File.ReadAllText(Path.Combine(whole, "pretrain", "events.jsonl")), StringComparison.Ordinal);

        string lastCheckpoint = Path.Combine(killed, "pretrain", "state", "checkpoint-000000000160.safetensors");
        var random = new Random(3);
        for (int kills = 0; ; kills++)
        {
            using var process = FineryProcess.Start("run", recipe, "--out", killed, "--threads", "1");
            process.ExitsBefore(() => process.Output.Contains(": started"));
            bool exited = kills switch
            {
                < MaxKills => process.WaitForExit(random.Next(1200)),
                // With nothing left of pretraining but to write its model.
                MaxKills => process.ExitsBefore(() => File.Exists(lastCheckpoint)),
                _ => process.WaitForExit(300_000),
            };
            if (exited)
            {
                process.WaitForExit();
                Assert.True(process.ExitCode == 0, process.Output);
                break;
            }
            process.Kill();
        }
        string[] files =
        [
            "pretrain/model/model.safetensors", "pretrain/model/config.json", "pretrain/mix.json", "longer/model/model.safetensors", "longer/gates.json",
        ];
        foreach (string file in files)
            Assert.True(Hash(Path.Combine(whole, file)) == Hash(Path.Combine(killed, file)), $"{file} depends on when the run was killed.");
        Assert.Equal(Losses(whole), Losses(killed));
        var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(whole, "longer/model/config.json"))).RootElement;
        Assert.Equal((96, 50000.0), (config.GetProperty("max_position_embeddings").GetInt32(), config.GetProperty("rope_theta").GetDouble()));
        string report = File.ReadAllText(Path.Combine(whole, "report.html"));
        Assert.Contains("Inside training", report, StringComparison.Ordinal);
        Assert.Contains("attention heads scaled by QK-clip", report, StringComparison.Ordinal);
    }

    [Fact]
    public void A_divergence_that_is_not_repaired_is_exit_code_5_and_a_gate_that_is_not_passed_4()
    {
        string recipe = WriteRecipe(), run = Path.Combine(_folder, "failing");
        var (code, output) = FineryProcess.Run("run", recipe, "--out", run, "--set", "pretrain.repair.mode=stop");
        Assert.True(code == 5, output);
        Assert.Contains("divergence.json", output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(run, "pretrain", "state", "divergence.json")));

        (code, output) = FineryProcess.Run("run", recipe, "--out", run, "--set", "longer.gate={needle: 1, short_loss: 0.5, max_rounds: 1}");
        Assert.True(code is 4 or 6, output);
        Assert.Contains("the gate at 96 tokens was not passed in 1 rounds", output, StringComparison.Ordinal);
    }

    private static (double, double) Losses(string run)
    {
        var summary = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "pretrain", "step.json"))).RootElement.GetProperty("summary");
        return (summary.GetProperty("validation_loss").GetDouble(), summary.GetProperty("validation_loss_last").GetDouble());
    }

    private static string Hash(string path) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)));

    private string WriteRecipe()
    {
        string recipe = Path.Combine(_folder, "recipe.yaml");
        if (File.Exists(recipe)) return recipe;
        string[] lines = [.. SmallCorpus.Lines(600)];
        File.WriteAllLines(Path.Combine(_folder, "a.jsonl"), lines[..400]);
        File.WriteAllLines(Path.Combine(_folder, "b.jsonl"), lines[400..]);
        File.WriteAllText(recipe, $$"""
            name: staged
            seed: 7
            steps:
              a: { type: read, paths: ['{{_folder}}/a.jsonl'] }
              b: { type: read, paths: ['{{_folder}}/b.jsonl'] }
              tokenizer: { type: train-tokenizer, documents: a, vocab_size: 600 }
              first: { type: tokenize, documents: a, tokenizer: tokenizer }
              second: { type: tokenize, documents: b, tokenizer: tokenizer }
              pretrain:
                tokens: [first, second]
                tokenizer: tokenizer
                validation: second
                validation_every: 50
                validation_tokens: 4000
                model: { layers: 2, width: 64, heads: 2, kv_heads: 1, feed_forward: 160, no_rope_interval: 2 }
                sequence_length: 32
                rows: 8
                steps: 160
                optimizer: { optimizer: muon, normalize: true, cautious_decay: true, momentum_warmup: 30, qk_clip: { threshold: 5 } }
                clip: { clip: zclip }
                schedule: { schedule: wsd, warmup_share: 0.05, decay_share: 0.2, shape: inverse_square_root }
                scale_rate_with_batch: true
                average: { kind: exponential, decay: 0.9, from_share: 0.5 }
                stages:
                  - { name: one, share: 0.5, mix: { first: 3, second: 1 }, ramp: [{ after_tokens: 5000, rows: 12 }] }
                  - { name: two, share: 0.5, mix: { second: 1 }, sequence_length: 64, rows: 4, rope_theta: 20000, optimizer_state: reset }
                faults: [{ step: 40, not_a_number: true }]
                monitoring: { every_steps: 10 }
                checkpoint_seconds: 0.3
              longer:
                type: extend-context
                model: pretrain
                tokens: [first, second]
                validation: second
                validation_tokens: 4000
                learning_rate: 1e-3
                stages: [{ sequence_length: 96, rope_theta: 50000, steps: 30, rows: 4 }]
                gate: { needle: 0, short_loss: 2, needles: 1 }
                checkpoint_seconds: 0.3
            """);
        return recipe;
    }
}
