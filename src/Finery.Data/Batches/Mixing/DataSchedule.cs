namespace Finery.Data.Batches.Mixing;

/// <summary>Steps of a run that have one shape and one mix.</summary>
public sealed record DataPhase
{
    /// <summary>Number of the stage it belongs to.</summary>
    public required int Stage { get; init; }

    /// <summary>First step, counted from the start of the run.</summary>
    public required long FirstStep { get; init; }

    /// <summary>Number of steps.</summary>
    public required long Steps { get; init; }

    /// <summary>Tokens of all steps before, exactly.</summary>
    public required long FirstToken { get; init; }

    /// <summary>R: rows of a step.</summary>
    public required int Rows { get; init; }

    /// <summary>T: tokens of a row.</summary>
    public required int Length { get; init; }

    /// <summary>Share of each source, in the order of <see cref="DataSchedule.Sources"/>; they sum to 1.</summary>
    public required IReadOnlyList<double> Weights { get; init; }

    /// <summary>R * T.</summary>
    public long TokensPerStep => (long)Rows * Length;

    /// <summary>Tokens of the phase.</summary>
    public long Tokens => Steps * TokensPerStep;
}

/// <summary>
/// All phases of a run, known before it starts: stages cut where a ramp changes the shape. A step is in one phase; a ramp's
/// switch comes at the end of the step that reaches its tokens, so that <see cref="DataPhase.FirstToken"/> says exactly when.
/// </summary>
public sealed class DataSchedule
{
    private DataSchedule(IReadOnlyList<string> sources, IReadOnlyList<DataPhase> phases) => (Sources, Phases) = (sources, phases);

    /// <summary>Names of the sources.</summary>
    public IReadOnlyList<string> Sources { get; }

    /// <summary>The phases in order, the first from step 0.</summary>
    public IReadOnlyList<DataPhase> Phases { get; }

    /// <summary>Steps of all phases.</summary>
    public long Steps => Phases[^1].FirstStep + Phases[^1].Steps;

    /// <summary>Tokens of all phases.</summary>
    public long Tokens => Phases[^1].FirstToken + Phases[^1].Tokens;

    /// <summary>A single phase with equal weights.</summary>
    /// <param name="sources">Names of the sources.</param>
    /// <param name="rows">R.</param>
    /// <param name="length">T.</param>
    /// <param name="steps">Length in steps.</param>
    public static DataSchedule Uniform(IReadOnlyList<string> sources, int rows, int length, long steps) =>
        Create(
            sources, [new() { Name = "all", Steps = steps, Data = new() { Mix = sources.ToDictionary(name => name, _ => 1.0) } }],
            rows, length);

    /// <summary>Expands stages into phases.</summary>
    /// <param name="sources">Names of the sources, each once.</param>
    /// <param name="stages">The stages in order.</param>
    /// <param name="rows">Rows of a step where the first stage gives none.</param>
    /// <param name="length">Tokens of a row where the first stage gives none.</param>
    /// <exception cref="ArgumentException">Something does not fit; the message lists every fault.</exception>
    public static DataSchedule Create(IReadOnlyList<string> sources, IReadOnlyList<DataStage> stages, int rows, int length)
    {
        string[] faults = [.. Validate(sources, stages, rows, length)];
        if (faults.Length > 0) throw new ArgumentException("Data schedule: " + string.Join(" ", faults));
        var phases = new List<DataPhase>();
        double[] weights = [1];
        for (int i = 0; i < stages.Count; i++)
        {
            if (stages[i].Data.Mix is { Count: > 0 } mix) weights = Normalised([.. sources.Select(name => mix.GetValueOrDefault(name))]);
            (rows, length) = Expand(stages[i], i, weights, rows, length, phases, faults: null);
        }
        return new(sources, phases);
    }

    /// <summary>Every reason why <see cref="Create"/> would refuse.</summary>
    public static IEnumerable<string> Validate(IReadOnlyList<string> sources, IReadOnlyList<DataStage> stages, int rows, int length)
    {
        if (sources.Count == 0) yield return "There is no source.";
        foreach (var same in sources.GroupBy(name => name).Where(group => group.Count() > 1))
            yield return $"{same.Count()} sources are called '{same.Key}'; names must differ.";
        if (stages.Count == 0) yield return "There is no stage.";
        if (rows < 1 || length < 2)
            yield return $"A batch of {rows} x {length} tokens is too small: at least 1 row of 2 tokens is needed.";
        bool sound = rows >= 1 && length >= 2;
        var phases = new List<DataPhase>();
        for (int i = 0; i < stages.Count; i++)
        {
            DataStage stage = stages[i];
            var faults = stage.Data.Validate().Select(fault => fault.Message).ToList();
            foreach (string name in stage.Data.Mix.Keys.Except(sources))
                faults.Add($"there is no source '{name}' (there are {string.Join(", ", sources)}).");
            if (i == 0 && stage.Data.Mix.Count == 0 && sources.Count > 1)
                faults.Add("the first stage must name its mix, as there are several sources.");
            if (stage.Steps is null == stage.Tokens is null) faults.Add("give either steps or tokens.");
            if (stage.Steps < 1 || stage.Tokens < 1) faults.Add("it must last at least one step.");
            sound &= faults.Count == 0;
            if (sound) (rows, length) = Expand(stage, i, [], rows, length, phases, faults);
            foreach (string fault in faults) yield return $"Stage '{stage.Name}': {fault}";
        }
    }

    /// <summary>Number of the phase of a step; beyond the end, the last.</summary>
    public int PhaseAt(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        int low = 0, high = Phases.Count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (Phases[middle].FirstStep <= step) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    /// <summary>Tokens of all steps before <paramref name="step"/>.</summary>
    public long TokensBefore(long step)
    {
        DataPhase phase = Phases[PhaseAt(step)];
        return checked(phase.FirstToken + ((step - phase.FirstStep) * phase.TokensPerStep));
    }

    /// <summary>First step before which at least so many tokens have been read: where something due after that many
    /// happens.</summary>
    public long StepReaching(long tokens)
    {
        int i = Phases.Count - 1;
        while (i > 0 && Phases[i].FirstToken >= tokens) i--;
        DataPhase phase = Phases[i];
        return phase.FirstStep + StepsFor(Math.Max(0, tokens - phase.FirstToken), phase.TokensPerStep);
    }

    /// <summary>Adds the phases of a stage; returns the shape at its end. Faults are collected if there is a list for
    /// them.</summary>
    private static (int Rows, int Length) Expand(
        DataStage stage, int number, double[] weights, int rows, int length, List<DataPhase> phases, List<string>? faults)
    {
        (rows, length) = (stage.Data.Rows ?? rows, stage.Data.SequenceLength ?? length);
        long steps = 0, tokens = 0; // of the stage so far
        try
        {
            foreach (RampStep ramp in stage.Data.Ramp)
            {
                long reaching = StepsFor(Math.Max(0, ramp.AfterTokens - tokens), (long)rows * length);
                bool late = stage.Steps is { } lasting ? steps + reaching >= lasting : ramp.AfterTokens >= stage.Tokens;
                if (late)
                {
                    faults?.Add($"its ramp changes the shape after {ramp.AfterTokens} tokens, but it ends before.");
                    break;
                }
                Add(reaching);
                (rows, length) = (ramp.Rows ?? rows, ramp.SequenceLength ?? length);
            }
            // A stage given in tokens may have reached them with the step that ended the ramp's last part.
            Add(stage.Steps - steps ?? StepsFor(Math.Max(0, stage.Tokens!.Value - tokens), (long)rows * length));
        }
        catch (OverflowException) when (faults is not null)
        {
            faults.Add("it has more tokens than can be counted.");
        }
        return (rows, length);

        void Add(long count)
        {
            if (count == 0) return;
            if ((long)rows * length > Array.MaxLength) faults?.Add($"a batch of {rows} x {length} tokens is too large to hold.");
            DataPhase? before = phases.Count > 0 ? phases[^1] : null;
            var phase = new DataPhase
            {
                Stage = number, Steps = count, Rows = rows, Length = length, Weights = weights,
                FirstStep = before is null ? 0 : before.FirstStep + before.Steps,
                FirstToken = before is null ? 0 : before.FirstToken + before.Tokens,
            };
            tokens = checked(tokens + (count * phase.TokensPerStep));
            _ = checked(phase.FirstToken + (count * phase.TokensPerStep));
            steps += count;
            phases.Add(phase);
        }
    }

    private static long StepsFor(long tokens, long tokensPerStep) => (tokens / tokensPerStep) + (tokens % tokensPerStep == 0 ? 0 : 1);

    private static double[] Normalised(double[] weights)
    {
        double most = weights.Max(); // first, so that the sum is finite
        double sum = weights.Sum(weight => weight / most);
        return Array.ConvertAll(weights, weight => weight / most / sum);
    }
}
