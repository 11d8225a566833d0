using System.Runtime.InteropServices;
using System.Text.Json;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Tests.Models;
using Finery.Training.Optimizers;
using Xunit;

namespace Finery.Tests.Training;

/// <summary>The same weights and tokens in PyTorch, in double precision: Assets/pytorch_steps.py.</summary>
public sealed class PyTorchStepTests(PyTorchStepTests.Peer peer) : IClassFixture<PyTorchStepTests.Peer>
{
    private const int Steps = 10;
    private const double LearningRate = 2e-3;
    private const double Tolerance = 1e-4;

    // Below most gradients, yet far above the rounding of the smallest, which AdamW would otherwise make as large as any.
    private static readonly AdamWOptimizerSettings Settings = new() { Epsilon = 1e-4 };

    private static readonly ModelConfig Small = new()
    {
        VocabSize = 331, EmbeddingSize = 96, LayerCount = 4, HeadCount = 6, KvHeadCount = 2, HeadSize = 16, FeedForwardSize = 200,
        SequenceLength = 256,
    };

    private static readonly Dictionary<string, (ModelConfig Config, int Tokens, bool Packed)> Cases = new()
    {
        ["tied, groups of 2"] = (TinyModels.Config, 50, false),
        ["untied, packed"] = (TinyModels.Config with { TieEmbeddings = false }, 61, true),
        ["llama3 scaling"] =
            (TinyModels.Config with { TieEmbeddings = false, RopeTheta = 5e5, RopeScaling = new Llama3Scaling(8, 1, 4, 32) }, 77, false),
        ["layers without rotation, packed"] =
            (TinyModels.Config with { LayerCount = 4, NoRopeInterval = 4, RmsNormEpsilon = 1e-6f }, 50, true),
        ["QK-norm"] = (TinyModels.Config with { QkNorm = true }, 50, false),
        ["QK-norm, layers without rotation, softcaps, packed"] =
            (TinyModels.Config with { QkNorm = true, NoRopeInterval = 2, AttentionSoftcap = 2, LogitSoftcap = 3 }, 61, true),
        ["softcap by a root"] =
            (TinyModels.Config with { TieEmbeddings = false, LogitSoftcap = 2, LogitSoftcapCurve = SoftcapCurve.InverseSquareRoot }, 50, false),
        ["CompleteP"] = (TinyModels.Config with
        {
            MaximalUpdate = new() { BaseEmbeddingSize = 16, BaseLayerCount = 3, EmbeddingMultiplier = 2.5, LogitsMultiplier = 1.5 },
        }, 77, true),
        ["one token"] = (TinyModels.Config, 1, false),
        ["small, groups of 3"] = (Small, 131, false),
        ["small, untied, packed"] = (Small with { TieEmbeddings = false, KvHeadCount = 6 }, 200, true),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    private sealed record Batch(int[] Ids, int[] Starts, int[] Targets);

    /// <summary>Tokens of a step; a document ends now and then where several are packed, and a third of the targets are masked.</summary>
    private static Batch BatchOf(string name, int step)
    {
        var (config, tokens, packed) = Cases[name];
        var random = new Random(100 * tokens + step);
        int[] ids = TinyModels.Ids(tokens, config.VocabSize, random.Next()), starts = new int[tokens], targets = new int[tokens];
        for (int i = 0; i < tokens; i++)
        {
            bool begins = packed && random.Next(12) == 0;
            starts[i] = i == 0 ? 0 : begins ? i : starts[i - 1];
            targets[i] = i > 0 && random.Next(3) == 0 ? -1 : random.Next(config.VocabSize);
        }
        return new(ids, starts, targets);
    }

    private static LlamaModel ModelOf(string name) => TinyModels.Create(Cases[name].Config, trainable: true);

    /// <summary>Runs the steps in Finery.</summary>
    private static double[] Train(string name, LlamaModel model, Recompute recompute, Action<int>? afterBackward, Action<int>? afterUpdate)
    {
        using var kernels = new CpuKernels(2);
        using var arena = new Arena("test");
        using var optimizer = new AdamW(model.Parameters, Settings);
        int tokens = Cases[name].Tokens;
        var inputs = new ModelInputs(arena, tokens);
        Tensor targets = arena.Integers("targets", tokens), weights = arena.Floats("weights", tokens);
        var tape = new Tape(kernels, arena, gradients: true, recompute);
        var tokenLosses = model.Losses(tape, inputs, targets, weights, weightsKnown: true);
        var losses = new double[Steps];
        for (int step = 0; step < Steps; step++)
        {
            var batch = BatchOf(name, step);
            batch.Ids.CopyTo(inputs.Ids.Integers);
            batch.Starts.CopyTo(inputs.Starts.Integers);
            batch.Targets.CopyTo(targets.Integers);
            int count = batch.Targets.Count(target => target >= 0);
            for (int i = 0; i < tokens; i++)
            {
                inputs.Positions.Integers[i] = i - batch.Starts[i];
                weights.Floats[i] = batch.Targets[i] < 0 ? 0 : 1f / count;
            }
            tape.Forward();
            foreach (float loss in tokenLosses.Floats) losses[step] += loss / (double)count;
            tape.Backward();
            afterBackward?.Invoke(step);
            optimizer.Step(kernels, LearningRate, 1);
            afterUpdate?.Invoke(step);
        }
        return losses;
    }

    [Theory, MemberData(nameof(Names))]
    public void Losses_gradients_and_updated_weights_are_those_of_PyTorch(string name)
    {
        Assert.SkipUnless(PyTorch.IsInstalled, PyTorch.Absent);
        var expected = peer.Results(name);
        foreach (var recompute in (Recompute[])[Recompute.None, Recompute.Full])
        {
            using var model = ModelOf(name);
            void Compare(string kind, Func<Tensor, Tensor> of)
            {
                foreach (var (weight, tensor) in model.NamedWeights)
                    AssertClose(expected.Tensor($"{kind} {weight}"), of(tensor).Floats, $"{name}: {kind} {weight}");
            }
            double[] losses = Train(
                name, model, recompute,
                afterBackward: step => { if (step == 0) Compare("gradient", weight => weight.Gradient!); },
                afterUpdate: step => { if (step is 0 or Steps - 1) Compare(step == 0 ? "weight" : "last", weight => weight); });
            for (int step = 0; step < Steps; step++)
                Assert.Equal(expected.Losses[step], losses[step], Tolerance * expected.Losses[step]);
        }
    }

    // Relative to the largest element: the others are made of terms of its size. Where all are zero exactly (queries of a token
    // that sees only itself), terms of about a thousandth cancel up to rounding.
    private static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = 0;
        foreach (double value in expected) scale = Math.Max(scale, Math.Abs(value));
        if (scale == 0) scale = 1e-3;
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(actual[i] - expected[i]) <= Tolerance * scale))
                Assert.Fail($"{what}[{i}] is {actual[i]:R}, PyTorch has {expected[i]:R} (scale {scale:G4})");
        }
    }

    /// <summary>What PyTorch computed.</summary>
    internal sealed record PeerResults(double[] Losses, IReadOnlyDictionary<string, (int Offset, int Count)> Index, byte[] Data)
    {
        public ReadOnlySpan<double> Tensor(string name) =>
            MemoryMarshal.Cast<byte, double>(Data.AsSpan(Index[name].Offset, Index[name].Count * sizeof(double)));
    }

    /// <summary>Runs PyTorch once for all cases.</summary>
    public sealed class Peer : IDisposable
    {
        private readonly Models.TemporaryFolder _folder = new();

        public Peer()
        {
            if (!PyTorch.IsInstalled) return;
            foreach (string name in Cases.Keys)
            {
                using var model = ModelOf(name);
                model.Save(_folder[name]);
                File.WriteAllText(Path.Combine(_folder[name], "steps.json"), JsonSerializer.Serialize(new
                {
                    learning_rate = LearningRate, beta1 = Settings.Beta1, beta2 = Settings.Beta2, epsilon = Settings.Epsilon,
                    weight_decay = Settings.WeightDecay,
                    steps = Enumerable.Range(0, Steps).Select(step => BatchOf(name, step))
                        .Select(batch => new { ids = batch.Ids, starts = batch.Starts, targets = batch.Targets }),
                }));
            }
            string script = Path.Combine(AppContext.BaseDirectory, "Assets", "pytorch_steps.py");
            PyTorch.Run([script, .. Cases.Keys.Select(name => _folder[name])]);
        }

        internal PeerResults Results(string name)
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder[name], "results.json")));
            return new(
                [.. json.RootElement.GetProperty("losses").EnumerateArray().Select(loss => loss.GetDouble())],
                json.RootElement.GetProperty("tensors").EnumerateObject().ToDictionary(
                    tensor => tensor.Name, tensor => (tensor.Value.GetProperty("offset").GetInt32(), tensor.Value.GetProperty("count").GetInt32())),
                File.ReadAllBytes(Path.Combine(_folder[name], "results.bin")));
        }

        public void Dispose() => _folder.Dispose();
    }
}
