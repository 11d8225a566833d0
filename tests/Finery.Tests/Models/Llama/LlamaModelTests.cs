using Finery.Models;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Llama;

public class LlamaModelTests
{
    private static readonly ModelConfig[] Configs =
    [
        TinyModels.Config,
        TinyModels.Config with { TieEmbeddings = false, KvHeadCount = 4, RopeTheta = 5e5, RopeScaling = new Llama3Scaling(8, 1, 4, 32) },
        TinyModels.Config with { LayerCount = 3, NoRopeInterval = 2, KvHeadCount = 1 },
        TinyModels.Config with { QkNorm = true },
        TinyModels.Config with { QkNorm = true, NoRopeInterval = 2, AttentionSoftcap = 1.5f, LogitSoftcap = 3 },
        TinyModels.Config with
        {
            TieEmbeddings = false, LogitSoftcap = 2.5f, LogitSoftcapCurve = SoftcapCurve.InverseSquareRoot,
            MaximalUpdate = new() { BaseEmbeddingSize = 12, BaseLayerCount = 3, EmbeddingMultiplier = 3, LogitsMultiplier = 2.5 },
        },
    ];

    public static TheoryData<int> Indexes => [.. Enumerable.Range(0, Configs.Length)];

    [Theory, MemberData(nameof(Indexes))]
    public void Parameters_are_as_many_as_the_configuration_says(int index)
    {
        using var model = new LlamaModel(Configs[index], 1, trainable: true);
        Assert.Equal(Configs[index].ParameterCount, model.Parameters.Sum(parameter => parameter.Weight.Length));
        Assert.Equal(Configs[index].ParameterCount, model.NamedWeights.Sum(weight => weight.Tensor.Length));
        Assert.All(model.Parameters, parameter => Assert.NotNull(parameter.Weight.Gradient));
        Assert.Equal(model.Parameters.Count, model.Parameters.Select(parameter => parameter.Name).Distinct().Count());
        // Of the tensors, embeddings and norms do not decay.
        Assert.Equal(Configs[index].MatmulWeights - (Configs[index].TieEmbeddings ? 61 * 20 : 0),
            model.Parameters.Where(parameter => parameter.Decays).Sum(parameter => parameter.Weight.Length));
    }

    [Fact]
    public void A_fresh_model_knows_nothing()
    {
        using var model = new LlamaModel(TinyModels.Config, 1, trainable: false);
        using var kernels = new CpuKernels(1);
        int[] ids = TinyModels.Ids(40);
        Assert.Equal(Math.Log(61), Loss(model, kernels, ids, 40), 0.05);
    }

    [Theory, MemberData(nameof(Indexes))]
    public void Losses_of_reference_and_cpu_kernels_agree(int index)
    {
        using var model = TinyModels.Create(Configs[index]);
        using var reference = new ReferenceKernels();
        using var cpu = new CpuKernels(2);
        int[] ids = TinyModels.Ids(90);
        float[] expected = Losses(model, reference, ids), actual = Losses(model, cpu, ids);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5 * Math.Max(1, expected[i]));
    }

    [Fact]
    public void Losses_do_not_depend_on_the_number_of_threads()
    {
        using var model = TinyModels.Create();
        using var one = new CpuKernels(1);
        using var three = new CpuKernels(3);
        int[] ids = TinyModels.Ids(150);
        Assert.Equal(Losses(model, one, ids), Losses(model, three, ids));
    }

    // Pretraining reference 11, case 10.
    [Fact]
    public void Packed_documents_are_the_token_weighted_combination_of_separate_ones()
    {
        using var kernels = new CpuKernels(1);
        int[][] documents = [TinyModels.Ids(9, seed: 1), TinyModels.Ids(1, seed: 2), TinyModels.Ids(14, seed: 3)];
        int targets = documents.Sum(document => document.Length - 1);

        using var together = TinyModels.Create(trainable: true);
        double packed = Train(together, kernels, documents, 1f / targets);
        using var apart = TinyModels.Create(trainable: true);
        double separate = documents.Sum(document => Train(apart, kernels, [document], 1f / targets));

        Assert.Equal(separate, packed, 1e-5 * separate);
        foreach (var (a, b) in together.Parameters.Zip(apart.Parameters))
        {
            var (x, y) = (a.Weight.Gradient!.Floats.ToArray(), b.Weight.Gradient!.Floats.ToArray());
            double scale = y.Max(Math.Abs);
            Assert.True(scale > 0, $"{a.Name} has no gradient");
            for (int i = 0; i < x.Length; i++) Assert.Equal(y[i], x[i], 2e-5 * scale);
        }
    }

    // Pretraining reference 11, case 7: a step along a parameter's own gradient changes the loss by the gradient's norm.
    [Theory, MemberData(nameof(Indexes))]
    public void Gradients_match_finite_differences_of_the_loss(int index)
    {
        using var kernels = new CpuKernels(1);
        using var model = new LlamaModel(Configs[index], 3, trainable: true);
        foreach (var parameter in model.Parameters)
        {
            if (parameter.Weight.Shape.Length == 1) continue;
            foreach (ref float weight in parameter.Weight.Floats) weight *= 4;
        }
        int[][] documents = [TinyModels.Ids(11), TinyModels.Ids(6, seed: 8)];
        int targets = documents.Sum(document => document.Length - 1);
        Train(model, kernels, documents, 1f / targets);
        foreach (var (name, weight, _) in model.Parameters)
        {
            float[] gradient = weight.Gradient!.Floats.ToArray(), kept = weight.Floats.ToArray();
            double norm = Math.Sqrt(gradient.Sum(value => (double)value * value));
            Assert.True(norm > 1e-3, $"{name}: gradient norm {norm}");
            double step = 0.01;
            double Shifted(double amount)
            {
                for (int i = 0; i < kept.Length; i++) weight.Floats[i] = (float)(kept[i] + (amount * gradient[i] / norm));
                return Packed(model, kernels, documents).Sum(loss => (double)loss) / targets;
            }
            double slope = ((8 * (Shifted(step) - Shifted(-step))) - (Shifted(2 * step) - Shifted(-2 * step))) / (12 * step);
            kept.CopyTo(weight.Floats);
            Assert.Equal(norm, slope, (0.003 * norm) + 1e-4);
        }
    }

    [Fact]
    public void Changing_one_document_does_not_change_the_loss_of_another()
    {
        using var kernels = new CpuKernels(1);
        using var model = TinyModels.Create();
        int[] a = TinyModels.Ids(9, seed: 1), other = TinyModels.Ids(9, seed: 4), b = TinyModels.Ids(14, seed: 3);
        Assert.Equal(Packed(model, kernels, [a, b])[9..], Packed(model, kernels, [other, b])[9..]);
    }

    [Fact]
    public void A_scorer_gives_the_same_losses_when_it_is_not_full()
    {
        using var kernels = new CpuKernels(1);
        using var model = TinyModels.Create();
        int[] ids = TinyModels.Ids(30);
        using var scorer = new TokenScorer(model, kernels, 64);
        int[] zeros = new int[30];
        int[] positions = [.. Enumerable.Range(0, 30)];
        int[] targets = [.. ids[1..], -1];
        float[] roomy = scorer.Score(ids, positions, zeros, targets).ToArray();
        float[] exact = Losses(model, kernels, ids);
        for (int i = 0; i < exact.Length; i++) Assert.Equal(exact[i], roomy[i], 1e-5);
        Assert.Equal(0, roomy[29]);
        Assert.Equal(roomy, scorer.Score(ids, positions, zeros, targets).ToArray());
        Assert.Throws<ArgumentException>(() => scorer.Score(new int[65], new int[65], new int[65], new int[65]));
        Assert.Throws<ArgumentException>(() => scorer.Score(ids, positions, zeros, new int[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => scorer.Score([99], [0], [0], [1]));
    }

    [Fact]
    public void Weights_are_copied_between_models_of_one_shape_only()
    {
        using var a = TinyModels.Create(seed: 1);
        using var b = TinyModels.Create(seed: 2, trainable: true);
        b.CopyWeightsFrom(a);
        foreach (var (x, y) in a.Parameters.Zip(b.Parameters)) Assert.Equal(x.Weight.Floats, y.Weight.Floats);
        using var narrow = TinyModels.Create(TinyModels.Config with { FeedForwardSize = 27 });
        using var shallow = TinyModels.Create(TinyModels.Config with { LayerCount = 1 });
        Assert.Throws<ArgumentException>(() => a.CopyWeightsFrom(narrow));
        Assert.Throws<ArgumentException>(() => a.CopyWeightsFrom(shallow));
    }

    [Fact]
    public void An_invalid_configuration_is_not_built() =>
        Assert.Contains("head_dim 5", Assert.Throws<ArgumentException>(
            () => new LlamaModel(TinyModels.Config with { HeadSize = 5 }, 1, false)).Message, StringComparison.Ordinal);

    internal static float[] Losses(LlamaModel model, Kernels kernels, int[] ids) => Packed(model, kernels, [ids])[..^1];

    private static double Loss(LlamaModel model, Kernels kernels, int[] ids, int count) =>
        Losses(model, kernels, ids)[..(count - 1)].Average();

    private static float[] Packed(LlamaModel model, Kernels kernels, int[][] documents)
    {
        var (ids, positions, starts, targets) = Pack(documents);
        using var scorer = new TokenScorer(model, kernels, ids.Length);
        return scorer.Score(ids, positions, starts, targets).ToArray();
    }

    private static double Train(LlamaModel model, Kernels kernels, int[][] documents, float weight)
    {
        var (ids, positions, starts, targets) = Pack(documents);
        using var arena = new Arena("test");
        var inputs = new ModelInputs(arena, ids.Length);
        var (target, weights) = (arena.Integers("targets", ids.Length), arena.Floats("weights", ids.Length));
        ids.CopyTo(inputs.Ids.Integers);
        positions.CopyTo(inputs.Positions.Integers);
        starts.CopyTo(inputs.Starts.Integers);
        targets.CopyTo(target.Integers);
        weights.Floats.Fill(weight);
        var tape = new Tape(kernels, arena, gradients: true);
        var losses = model.Losses(tape, inputs, target, weights, weightsKnown: true);
        tape.Forward();
        tape.Backward();
        return losses.Floats.ToArray().Sum(loss => (double)loss * weight);
    }

    [Theory, MemberData(nameof(Indexes))]
    public void Planned_and_recomputed_activations_change_no_bit_of_a_packed_batch(int index)
    {
        using var kernels = new CpuKernels(2);
        using var model = TinyModels.Create(Configs[index], trainable: true);
        var (ids, positions, starts, targets) = Pack([TinyModels.Ids(17), TinyModels.Ids(40, seed: 5), TinyModels.Ids(3, seed: 6)]);
        float[] Gradients(Recompute recompute, bool shares, bool weightsKnown)
        {
            using var arena = new Arena("test");
            var inputs = new ModelInputs(arena, ids.Length);
            var (target, weights) = (arena.Integers("targets", ids.Length), arena.Floats("weights", ids.Length));
            ids.CopyTo(inputs.Ids.Integers);
            positions.CopyTo(inputs.Positions.Integers);
            starts.CopyTo(inputs.Starts.Integers);
            targets.CopyTo(target.Integers);
            weights.Floats.Fill(.01f);
            var tape = new Tape(kernels, arena, gradients: true, recompute) { SharesMemory = shares };
            var losses = model.Losses(tape, inputs, target, weights, weightsKnown);
            foreach (var parameter in model.Parameters) parameter.Weight.Gradient!.Floats.Clear();
            // 0xFF bytes are NaN: nothing may be read before it is written.
            tape.Poison(0xFF);
            tape.Forward();
            tape.Backward();
            Assert.True(!shares || tape.PlannedBytes <= 1.05 * tape.Planned.LowerBound, $"{tape.PlannedBytes}, {tape.Planned.LowerBound} needed");
            return [.. losses.Floats, .. model.Parameters.SelectMany(parameter => parameter.Weight.Gradient!.Floats.ToArray())];
        }
        float[] expected = Gradients(Recompute.None, shares: false, weightsKnown: true);
        Assert.All(expected, value => Assert.True(float.IsFinite(value)));
        foreach (var recompute in Enum.GetValues<Recompute>())
        {
            foreach (bool known in new[] { true, false }) Assert.Equal(expected, Gradients(recompute, shares: true, known));
        }
    }

    private static (int[] Ids, int[] Positions, int[] Starts, int[] Targets) Pack(int[][] documents)
    {
        List<int> ids = [], positions = [], starts = [], targets = [];
        foreach (int[] document in documents)
        {
            int start = ids.Count;
            for (int i = 0; i < document.Length; i++)
            {
                ids.Add(document[i]);
                positions.Add(i);
                starts.Add(start);
                targets.Add(i + 1 < document.Length ? document[i + 1] : -1);
            }
        }
        return ([.. ids], [.. positions], [.. starts], [.. targets]);
    }
}
