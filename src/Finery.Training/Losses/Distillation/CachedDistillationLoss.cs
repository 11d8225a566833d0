using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses.Branches;

namespace Finery.Training.Losses.Distillation;

/// <summary>Distillation from a teacher's likeliest tokens. Figures as those of <see cref="DistillationLoss"/>.</summary>
internal sealed class CachedDistillationLoss : BranchedLoss
{
    private readonly DistillationObjective _objective;

    /// <param name="objective">Settings.</param>
    /// <param name="model">To be trained.</param>
    /// <param name="cache">Owned from here on.</param>
    public CachedDistillationLoss(DistillationObjective objective, LlamaModel model, TeacherCache cache)
        : base(objective.ZLoss, "loss/next_token", "loss/divergence", "alpha")
    {
        (_objective, Cache) = (objective, cache);
        if (cache.MaxEntries > model.Config.VocabSize)
        {
            throw new ArgumentException(
                $"The teacher cache has {cache.MaxEntries} tokens of a row; the model knows {model.Config.VocabSize}.", nameof(cache));
        }
        Alpha = objective.AlphaAt(0, 1);
    }

    public override string Description => $"{_objective.Description} cache={Cache.Identity}{ZLossDescription}";

    public TeacherCache Cache { get; }

    /// <summary>Weight of the divergence in the step in progress.</summary>
    public double Alpha { get; private set; }

    public override void Check(IBatchSource source)
    {
        if (!Cache.HasBatchesOf((long)source.Rows * source.Length))
            throw new ArgumentException($"Batches have {source.Rows} x {source.Length} tokens, the teacher cache has none of that shape.", nameof(source));
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The cache ends before the run, or before a batch that a repaired run reads.</exception>
    public override void BeginStep(long step, long batchStep, long totalSteps)
    {
        if (totalSteps > Cache.Steps)
            throw new ArgumentException($"The run has {totalSteps} steps, the teacher cache {Cache.Steps}.", nameof(totalSteps));
        if (batchStep >= Cache.Steps)
        {
            throw new ArgumentException(
                $"Step {step} reads batch {batchStep}, as the run left batches out; the teacher cache ends with {Cache.Steps}. Write it with more spare steps.",
                nameof(batchStep));
        }
        Alpha = _objective.AlphaAt(step, totalSteps);
    }

    public override TrainingPass CreatePass(Kernels kernels, LlamaModel model, int tokens, Recompute recompute)
    {
        var arena = model.CreateArena("training");
        var inputs = new ModelInputs(arena, tokens);
        Tape NewTape() => new(kernels, arena, gradients: true, recompute, model.WeightType);
        Tape trunk = NewTape(), main = NewTape();
        var stream = trunk.Keep(model.Stream(trunk, inputs, model.Config.LayerCount));
        return new BranchedPass(kernels, arena, inputs, trunk, [], [new CachedBranch(this, _objective, main, arena, model, stream, tokens)]);
    }

    public override void Dispose()
    {
        Cache.Dispose();
        base.Dispose();
    }

    /// <summary>Cross-entropy and divergence from the same logits.</summary>
    private sealed class CachedBranch : Branch
    {
        private readonly CachedDistillationLoss _loss;
        private readonly DistillationObjective _objective;
        private readonly Tensor _targets, _tokenWeights, _ids, _probabilities, _softWeights;
        private readonly SparseTargetLosses _outputs;
        private readonly Tensor? _logSums;
        private int _count;

        public CachedBranch(
            CachedDistillationLoss loss, DistillationObjective objective, Tape tape, Arena arena, LlamaModel model, Tensor stream, int tokens)
            : base(tape)
        {
            (_loss, _objective) = (loss, objective);
            (_targets, _tokenWeights) = (arena.Integers("targets", tokens), arena.Floats("tokenWeights", tokens));
            int most = loss.Cache.MaxEntries;
            (_ids, _probabilities) = (arena.Integers("teacherIds", tokens, most), arena.Floats("teacher", tokens, most));
            _softWeights = arena.Floats("softWeights", tokens);
            _logSums = loss.CreateLogSums(arena, tokens);
            _outputs = model.SparseLosses(
                tape, model.FinalNorm(tape, stream), _targets, _tokenWeights, _ids, _probabilities, _softWeights,
                new((float)objective.Temperature, objective.Remainder), loss.ZLoss, _logSums);
        }

        public override bool Load(PackedBatch batch, int first)
        {
            batch.Targets.AsSpan(first, _targets.Columns).CopyTo(_targets.Integers);
            _count = batch.TargetCount;
            Span<float> hard = _tokenWeights.Floats, soft = _softWeights.Floats;
            for (int i = 0; i < hard.Length; i++)
            {
                hard[i] = (float)((1 - _loss.Alpha) * batch.Weights[first + i]);
                soft[i] = (float)(_loss.Alpha * batch.Weights[first + i]);
            }
            _ids.Integers.Fill(-1);
            if (_loss.Alpha > 0) LoadTeacher(batch, first);
            return true;
        }

        private void LoadTeacher(PackedBatch batch, int first)
        {
            var rows = _loss.Cache.Of(batch);
            int entry = 0, most = _ids.Columns;
            for (int i = 0; i < first; i++) entry += rows.Counts[i];
            Span<int> ids = _ids.Integers;
            Span<float> probabilities = _probabilities.Floats;
            for (int i = 0; i < _softWeights.Columns; i++)
            {
                int count = rows.Counts[first + i];
                double sum = 0;
                for (int k = 0; k < count; k++)
                {
                    double p = Math.Exp(rows.LogProbability(entry + k) / _objective.Temperature);
                    ids[i * most + k] = rows.Ids[entry + k];
                    probabilities[i * most + k] = (float)p;
                    sum += p;
                }
                // Rounding may lift the sum of what was kept above 1.
                for (int k = 0; k < count && (!_objective.Remainder || sum > 1); k++)
                    probabilities[i * most + k] = (float)(probabilities[i * most + k] / sum);
                entry += count;
            }
        }

        public override double Evaluate(int first)
        {
            double entropy = CrossEntropy(_loss, 0, first, _count, _outputs.Losses, _logSums, _tokenWeights);
            double divergence = Sum(_outputs.Divergences, _softWeights);
            _loss.Note(1, first, _loss.Alpha == 0 ? double.NaN : divergence / _loss.Alpha);
            _loss.Note(2, first, first == 0 ? _loss.Alpha : 0);
            return entropy + divergence;
        }
    }
}
