using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses.Branches;

namespace Finery.Training.Losses.Distillation;

/// <summary>Distillation from a teacher that runs beside the model. Figures: <c>loss/next_token</c> (cross-entropy),
/// <c>loss/divergence</c> (times tau^2; NaN where alpha is 0), <c>alpha</c>, <c>loss/features</c> and <c>loss/attention</c> where they are
/// matched.</summary>
internal sealed class DistillationLoss : BranchedLoss
{
    // The figure of features; attention's is behind it.
    private const int Features = 3;

    private readonly DistillationObjective _objective;
    private readonly LlamaModel _teacher;
    private readonly Lazy<string> _fingerprint;
    private readonly LlamaModules _modules;
    private readonly (int Layer, int Teacher)[] _features, _attention;
    private readonly Tensor?[] _projections;

    /// <param name="objective">Settings.</param>
    /// <param name="model">To be trained.</param>
    /// <param name="teacher">Owned from here on.</param>
    /// <param name="seed">Of projections between widths.</param>
    public DistillationLoss(DistillationObjective objective, LlamaModel model, LlamaModel teacher, ulong seed)
        : base(objective.ZLoss,
        [
            "loss/next_token", "loss/divergence", "alpha", .. objective.Features is null ? [] : (string[])["loss/features"],
            .. objective.Attention is null ? [] : (string[])["loss/attention"],
        ])
    {
        string[] faults = [.. Faults(objective, model.Config, teacher.Config)];
        if (faults.Length > 0) throw new ArgumentException("Distillation: " + string.Join(" ", faults));
        (_objective, _teacher) = (objective, teacher);
        _fingerprint = new(() => TeacherFingerprint.Of(teacher));
        _modules = new LlamaModules(model);
        Tensor Projection(int layer) => _modules.AddProjection(
            $"distillation.features.{layer}.feature_proj.weight", teacher.Config.EmbeddingSize, model.Config.EmbeddingSize);
        bool projects = objective.Features?.Measure == RowMeasure.Square || model.Config.EmbeddingSize != teacher.Config.EmbeddingSize;
        _features = objective.Features?.Pairs(model.Config, teacher.Config) ?? [];
        _attention = objective.Attention?.Pairs(model.Config, teacher.Config) ?? [];
        _projections = [.. _features.Select(pair => projects ? Projection(pair.Layer) : null)];
        _modules.Initialize(seed);
        BeginStep(0, 0, 1);
    }

    public override string Description => $"{_objective.Description} teacher={_fingerprint.Value}{ZLossDescription}";

    public override IReadOnlyList<Parameter> Parameters => _modules.Parameters;

    public override long Bytes => _modules.Bytes + _teacher.Bytes;

    /// <summary>Weight of the divergence in the step in progress.</summary>
    public double Alpha { get; private set; }

    public override void BeginStep(long step, long batchStep, long totalSteps) => Alpha = _objective.AlphaAt(step, totalSteps);

    public override TrainingPass CreatePass(Kernels kernels, LlamaModel model, int tokens, Recompute recompute)
    {
        var arena = model.CreateArena("training");
        Tape NewTape() => new(kernels, arena, gradients: true, recompute, model.WeightType);
        var inputs = new ModelInputs(arena, tokens);
        double featureWeight = _objective.Features?.Weight ?? 0, attentionWeight = _objective.Attention?.Weight ?? 0;
        var teacher = new TeacherPart(
            kernels, arena, _teacher, inputs, [.. _features.Select(pair => pair.Teacher)], [.. _attention.Select(pair => pair.Teacher)],
            () => Alpha > 0 || featureWeight > 0 || attentionWeight > 0);

        var trunk = NewTape();
        var parts = new List<ObjectivePart> { teacher };
        var stream = trunk.Keep(model.Stream(
            trunk, inputs, model.Config.LayerCount,
            (layer, end) =>
            {
                int index = Array.FindIndex(_features, pair => pair.Layer == layer);
                if (index < 0) return;
                var fork = trunk.Fork(end);
                var weights = arena.Floats("featureWeights", tokens);
                var projected = _projections[index] is { } projection ? trunk.Linear(fork, projection, wide: true) : fork;
                var distances = trunk.RowDistance(projected, teacher.Features[index], weights, _objective.Features!.Measure);
                parts.Add(new MatchingPart(this, Features, index == 0, featureWeight / _features.Length, weights, distances));
            },
            attended: (layer, qkv) =>
            {
                int index = Array.FindIndex(_attention, pair => pair.Layer == layer);
                if (index < 0) return;
                var weights = arena.Floats("attentionWeights", tokens);
                var divergences = trunk.AttentionDivergence(
                    qkv, model.Config.Attention, teacher.Attended[index], _teacher.Config.Attention, inputs.Starts, weights);
                parts.Add(new MatchingPart(
                    this, Features + (_objective.Features is null ? 0 : 1), index == 0, attentionWeight / _attention.Length, weights, divergences));
            }));

        var main = NewTape();
        Tensor targets = arena.Integers("targets", tokens), tokenWeights = arena.Floats("tokenWeights", tokens);
        var logSums = CreateLogSums(arena, tokens);
        var losses = model.Losses(main, model.FinalNorm(main, stream), targets, tokenWeights, weightsKnown: true, ZLoss, logSums);
        var divergence = NewTape();
        var softWeights = arena.Floats("softWeights", tokens);
        var divergences = model.Divergences(
            divergence, model.FinalNorm(divergence, divergence.Fork(stream)), _teacher, teacher.Hidden, softWeights,
            new(_objective.Divergence, (float)_objective.Temperature));
        return new BranchedPass(kernels, arena, inputs, trunk, parts,
        [
            new CrossEntropyBranch(this, 0, 0, () => 1 - Alpha, main, targets, tokenWeights, losses, logSums),
            new DivergenceBranch(this, divergence, softWeights, divergences),
        ]);
    }

    public override void Dispose()
    {
        _modules.Dispose();
        _teacher.Dispose();
        base.Dispose();
    }

    private static IEnumerable<string> Faults(DistillationObjective objective, ModelConfig model, ModelConfig teacher)
    {
        if (teacher.VocabSize != model.VocabSize)
            yield return $"The teacher has {teacher.VocabSize} tokens, the model {model.VocabSize}: both need one vocabulary.";
        if (teacher.SequenceLength < model.SequenceLength)
            yield return $"The teacher reads {teacher.SequenceLength} tokens, the model {model.SequenceLength}.";
        if (teacher.LogitSoftcap > 0 || model.LogitSoftcap > 0)
            yield return "One of the models bounds its logits: write a cache of the teacher and give that.";
        foreach (int layer in (objective.Features?.Layers ?? []).Union(objective.Attention?.Layers ?? []))
            if (layer > model.LayerCount) yield return $"There is no layer {layer} to match: the model has {model.LayerCount}.";
    }
}
