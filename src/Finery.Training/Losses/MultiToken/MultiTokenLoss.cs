using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses.Branches;

namespace Finery.Training.Losses.MultiToken;

/// <summary>Cross-entropy of the next token, and of some after it (pretraining reference 4.1). Its figures are the means themselves, without
/// their weights: <c>loss/next_token</c>, <c>loss/token_2</c>, ...; NaN in steps where a weight is zero.</summary>
internal sealed class MultiTokenLoss : BranchedLoss
{
    /// <summary>Name of the file beside the model.</summary>
    public const string FileName = "mtp.safetensors";

    private readonly MultiTokenObjective _objective;
    private readonly LlamaModules _modules;
    private readonly SequentialModule[] _chain;
    private readonly double[] _weights;

    public MultiTokenLoss(MultiTokenObjective objective, LlamaModel model, ulong seed)
        : base(objective.ZLoss, ["loss/next_token", .. Enumerable.Range(2, objective.Ahead).Select(token => $"loss/token_{token}")])
    {
        (_objective, _modules, _weights) = (objective, new LlamaModules(model), new double[objective.Ahead]);
        var numbers = Enumerable.Range(0, objective.Form == MultiTokenForm.Shared ? 0 : objective.Ahead);
        bool sequential = objective.Form == MultiTokenForm.Sequential;
        // As published checkpoints number them: on from the model's last layer.
        string Prefix(int i) => $"model.layers.{model.Config.LayerCount + i}.";
        _chain = [.. numbers.Where(_ => sequential).Select(i => new SequentialModule(_modules, model.Config.EmbeddingSize, Prefix(i)))];
        foreach (int i in numbers.Where(_ => !sequential)) _modules.AddLayer(Prefix(i));
        _modules.Initialize(seed);
        BeginStep(0, 0, 1);
    }

    public override string Description => _objective.Description + ZLossDescription;

    public override IReadOnlyList<Parameter> Parameters => _modules.Parameters;

    public override long Bytes => _modules.Bytes;

    /// <summary>Of each token beyond the next, in the step in progress.</summary>
    public ReadOnlySpan<double> Weights => _weights;

    public override void BeginStep(long step, long batchStep, long totalSteps)
    {
        for (int i = 0; i < _weights.Length; i++) _weights[i] = _objective.WeightAt(i, step, totalSteps);
    }

    public override TrainingPass CreatePass(Kernels kernels, LlamaModel model, int tokens, Recompute recompute)
    {
        var arena = model.CreateArena("training");
        Tape NewTape() => new(kernels, arena, gradients: true, recompute, model.WeightType);
        var inputs = new ModelInputs(arena, tokens);
        Tensor targets = arena.Integers("targets", tokens), weights = arena.Floats("tokenWeights", tokens);
        // An independent head stands beside the last layer, the others behind it.
        int layers = model.Config.LayerCount - (_objective.Form == MultiTokenForm.Independent ? 1 : 0);
        var trunk = NewTape();
        var stream = trunk.Keep(model.Stream(trunk, inputs, layers));

        CrossEntropyBranch Head(int number, Tape tape, Tensor end)
        {
            tape.Segment();
            var logSums = number == 0 ? CreateLogSums(arena, tokens) : null;
            var losses = model.Losses(
                tape, model.FinalNorm(tape, end), targets, weights, weightsKnown: true, number == 0 ? ZLoss : 0, logSums);
            return new(this, number, number, number == 0 ? () => 1 : () => _weights[number - 1], tape, targets, weights, losses, logSums);
        }

        var main = NewTape();
        if (_objective.Form == MultiTokenForm.Shared)
            return new BranchedPass(kernels, arena, inputs, trunk, [], [new SharedBranch(this, main, arena, model, stream, targets, weights)]);

        var branches = new List<Branch> { Head(0, main, model.Continue(main, stream, inputs, layers)) };
        if (_objective.Form == MultiTokenForm.Sequential)
            branches.Add(new SequentialBranch(this, _chain, _modules, NewTape(), arena, model, inputs, stream));
        else
        {
            for (int i = 0; i < _weights.Length; i++)
            {
                var tape = NewTape();
                branches.Add(Head(i + 1, tape, _modules.Layer(tape, tape.Fork(stream), i, layers, inputs)));
            }
        }
        return new BranchedPass(kernels, arena, inputs, trunk, [], branches);
    }

    /// <summary>Writes <see cref="FileName"/>, where there are parameters.</summary>
    public override void SaveBeside(string folder)
    {
        if (Parameters.Count == 0) return;
        _modules.Save(Path.Combine(folder, FileName), new Dictionary<string, string> { ["format"] = "pt", ["objective"] = Description });
    }

    /// <summary>Continues with the parameters of an earlier run.</summary>
    /// <exception cref="InvalidDataException">They are of another objective or shape.</exception>
    public void LoadBeside(string folder) => _modules.Load(Path.Combine(folder, FileName));

    public override void Dispose()
    {
        _modules.Dispose();
        base.Dispose();
    }
}
