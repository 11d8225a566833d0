using System.Globalization;

namespace Finery.Data.Batches.Mixing;

/// <summary>
/// Batches of a run over several sources, with stages that change the mix, the rows and their length. Every row is a pure
/// function of (sources, schedule, seed, step, row): <see cref="SourceOrder"/> says which source it comes from and which of its
/// windows is next, <see cref="WindowOrder"/> where that begins. Each source is read on from where it was left: stages and
/// ramps neither repeat nor skip its tokens, except fewer than T at the end of an epoch. As long as T stays, an epoch is
/// shuffled whole. Safe to use from many threads.
/// </summary>
public sealed class MixedBatches
{
    private const int StackSources = 64; // more sources than this cost an allocation

    private readonly IReadOnlyList<TokenShards> _sources;
    private readonly RowSettings _rows;
    private readonly Dictionary<(int Source, int Length), PackedDocuments> _packed = [];
    private readonly PhaseBatches[] _phases;

    /// <param name="sources">Token shards in the order of the schedule's names; they must stay open.</param>
    /// <param name="schedule">What is read when.</param>
    /// <param name="seed">Decides all orders.</param>
    /// <param name="rows">How rows are made; null for windows with a document mask.</param>
    /// <exception cref="InvalidDataException">A source is too small for its rows, or they come from different tokenizers; the
    /// message lists every fault.</exception>
    public MixedBatches(IReadOnlyList<TokenShards> sources, DataSchedule schedule, ulong seed, RowSettings? rows = null)
    {
        (_sources, Schedule, _rows) = (sources, schedule, rows ?? new());
        string[] faults = [.. Validate(sources, schedule)];
        if (faults.Length > 0) throw new InvalidDataException(string.Join(" ", faults));
        Fingerprint = FingerprintOf(seed);
        if (_rows.Packing == RowPacking.BestFit) Pack();
        _phases = Phases(seed);
    }

    /// <summary>What is read when.</summary>
    public DataSchedule Schedule { get; }

    /// <summary>A name for sources, schedule, settings and seed. The length of the last phase is not part of it, as no batch
    /// depends on it.</summary>
    public string Fingerprint { get; }

    /// <summary>Batches of one shape from a single source, in one phase without end.</summary>
    /// <param name="source">Must stay open.</param>
    /// <param name="length">T.</param>
    /// <param name="rows">R.</param>
    /// <param name="seed">Decides the order.</param>
    public static IBatchSource Of(TokenShards source, int length, int rows, ulong seed) =>
        new MixedBatches([source], DataSchedule.Uniform(["all"], rows, length, steps: 1), seed).Phase(0);

    /// <summary>Every reason why the sources cannot be read as the schedule says.</summary>
    public static IEnumerable<string> Validate(IReadOnlyList<TokenShards> sources, DataSchedule schedule)
    {
        if (sources.Count != schedule.Sources.Count)
        {
            yield return $"The schedule names {schedule.Sources.Count} sources, but {sources.Count} are given.";
            yield break;
        }
        for (int k = 0; k < sources.Count; k++)
        {
            string name = schedule.Sources[k];
            long tokens = sources[k].TokenCount;
            int longest = schedule.Phases.Where(phase => phase.Weights[k] > 0).Select(phase => phase.Length).DefaultIfEmpty().Max();
            if (tokens < longest)
                yield return $"The source '{name}' has {tokens} tokens, fewer than one row of {longest}. Use more text or shorter rows.";
            if (sources[k].Manifest.Tokenizer != sources[0].Manifest.Tokenizer)
                yield return $"The source '{name}' was made with another tokenizer than '{schedule.Sources[0]}'. Tokenize them alike.";
        }
    }

    /// <summary>Batches of a phase. It is filled by steps of the run, from the phase's first on; beyond its last it goes on in
    /// its own shape and mix, without repeating what it has read. All phases have the fingerprint of the whole.</summary>
    /// <param name="phase">Number of the phase in <see cref="Schedule"/>.</param>
    public IBatchSource Phase(int phase) => _phases[phase];

    /// <summary>Tokens of each source in all steps before <paramref name="step"/>, padding included.</summary>
    /// <param name="step">Step of the run.</param>
    /// <param name="tokens">One for each source.</param>
    public void TokensBefore(long step, Span<long> tokens) => _phases[Schedule.PhaseAt(step)].TokensBefore(step, tokens);

    /// <summary>How many times each source has been seen before <paramref name="step"/>.</summary>
    /// <param name="step">Step of the run.</param>
    /// <param name="epochs">One for each source.</param>
    public void EpochsBefore(long step, Span<double> epochs) => _phases[Schedule.PhaseAt(step)].EpochsBefore(step, epochs);

    /// <summary>Facts about sources and phases for logs and reports.</summary>
    public MixSummary Summarize()
    {
        double[] epochs = new double[_sources.Count];
        EpochsBefore(Schedule.Steps, epochs);
        return new()
        {
            Fingerprint = Fingerprint, Steps = Schedule.Steps, Tokens = Schedule.Tokens,
            Sources = [.. _sources.Select((shards, k) => SourceSummary.Of(Schedule.Sources[k], shards, epochs[k]))],
            Phases = [.. Schedule.Phases.Select(PhaseSummary)],
        };
    }

    private PhaseSummary PhaseSummary(DataPhase phase)
    {
        long[] before = new long[_sources.Count], after = new long[_sources.Count];
        TokensBefore(phase.FirstStep, before);
        _phases[Schedule.PhaseAt(phase.FirstStep)].TokensBefore(phase.FirstStep + phase.Steps, after);
        int[] read = [.. Enumerable.Range(0, before.Length).Where(k => phase.Weights[k] > 0)];
        return new()
        {
            Stage = phase.Stage, FirstStep = phase.FirstStep, Steps = phase.Steps, Rows = phase.Rows, SequenceLength = phase.Length,
            FirstToken = phase.FirstToken, Tokens = phase.Tokens,
            Mix = read.ToDictionary(k => Schedule.Sources[k], k => phase.Weights[k]),
            TokensBySource = read.ToDictionary(k => Schedule.Sources[k], k => after[k] - before[k]),
        };
    }

    private string FingerprintOf(ulong seed)
    {
        var parts = new List<object> { "mixed", seed, _rows.Packing, _rows.CrossDocument };
        for (int k = 0; k < _sources.Count; k++) parts.AddRange([Schedule.Sources[k], _sources[k].Manifest.ToJson()]);
        foreach (DataPhase phase in Schedule.Phases)
        {
            parts.AddRange([phase.FirstStep, phase.Rows, phase.Length]);
            parts.AddRange(phase.Weights.Select(weight => weight.ToString("R", CultureInfo.InvariantCulture)));
        }
        return SourceFingerprint.Of([.. parts]);
    }

    /// <summary>Walks through the schedule once: how much each phase takes of each source says where the next one goes
    /// on.</summary>
    private PhaseBatches[] Phases(ulong seed)
    {
        int sources = _sources.Count, count = Schedule.Phases.Count;
        var phases = new PhaseBatches[count];
        var cursors = new SourceCursor[sources];
        var tokens = new long[sources];
        var epochs = new double[sources];
        for (int first = 0, next; first < count; first = next)
        {
            // Phases of one length are one stretch: what changes between them is how fast the sources are read, not in what order.
            int length = Schedule.Phases[first].Length;
            for (next = first; next < count && Schedule.Phases[next].Length == length; next++) { }
            var windows = new WindowOrder[sources];
            var taken = new long[sources];
            for (int i = first; i < next; i++)
            {
                DataPhase phase = Schedule.Phases[i];
                long samples = i + 1 < count ? checked(phase.Steps * phase.Rows) : long.MaxValue;
                var order = new SourceOrder(phase.Weights, samples, SeededHash.Mix(SeededHash.Mix(seed, ulong.MaxValue), (ulong)i));
                phases[i] = new(this, phase, order, windows, [.. taken], [.. tokens], [.. epochs]);
                if (i + 1 == count) break;
                var used = new long[sources];
                order.CountBefore(samples, used);
                for (int k = 0; k < sources; k++)
                {
                    taken[k] += used[k];
                    tokens[k] += used[k] * length;
                    epochs[k] += EpochsOf(used[k], k, length);
                }
            }
            for (int k = 0; k < sources; k++)
            {
                // Packed rows are the tokens of a circle of rows, read one at a time.
                bool packed = _rows.Packing == RowPacking.BestFit;
                if (packed && cursors[k].Position > 0) cursors[k] = new(cursors[k].Epoch + 1, 0);
                windows[k] = new(
                    packed ? RowsPerEpoch(k, length) : _sources[k].TokenCount, packed ? 1 : length, cursors[k],
                    next < count ? taken[k] : long.MaxValue, SeededHash.Mix(seed, (ulong)k));
                cursors[k] = windows[k].End;
            }
        }
        return phases;
    }

    private void Pack()
    {
        foreach (DataPhase phase in Schedule.Phases)
        {
            for (int k = 0; k < _sources.Count; k++)
            {
                if (phase.Weights[k] > 0 && !_packed.ContainsKey((k, phase.Length)))
                    _packed.Add((k, phase.Length), new(_sources[k].DocumentLengths(), phase.Length));
            }
        }
    }

    /// <summary>0 for packings of a length that the source is not read in.</summary>
    private long RowsPerEpoch(int source, int length) =>
        _packed.TryGetValue((source, length), out PackedDocuments? packed) ? packed.Rows : 0;

    private double EpochsOf(long rows, int source, int length) =>
        rows == 0 ? 0
        : _rows.Packing == RowPacking.BestFit ? (double)rows / RowsPerEpoch(source, length)
        : (double)rows * length / _sources[source].TokenCount;

    /// <summary>The batches of one phase.</summary>
    private sealed class PhaseBatches(
        MixedBatches mix, DataPhase phase, SourceOrder order, WindowOrder[] windows, long[] rowsBefore, long[] tokensBefore,
        double[] epochsBefore) : IBatchSource
    {
        public int Rows => phase.Rows;

        public int Length => phase.Length;

        public string Fingerprint => mix.Fingerprint;

        public PackedBatch CreateBatch() => new(Rows, Length);

        /// <summary>Over all sources together, each as large as it is.</summary>
        public double EpochAt(long step)
        {
            int count = mix._sources.Count;
            Span<double> epochs = count <= StackSources ? stackalloc double[count] : new double[count];
            mix.EpochsBefore(step, epochs);
            double seen = 0, all = 0;
            for (int k = 0; k < epochs.Length; k++)
            {
                seen += epochs[k] * mix._sources[k].TokenCount;
                all += mix._sources[k].TokenCount;
            }
            return seen / all;
        }

        public void Fill(long step, PackedBatch batch)
        {
            SourceFingerprint.CheckFill(this, step, batch);
            ArgumentOutOfRangeException.ThrowIfLessThan(step, phase.FirstStep);
            long sample = checked((step - phase.FirstStep) * Rows);
            Span<int> sources = stackalloc int[SourceOrder.Window];
            Span<long> counts = rowsBefore.Length <= StackSources ? stackalloc long[rowsBefore.Length] : new long[rowsBefore.Length];
            for (int row = 0; row < Rows;)
            {
                (int i, int end) = order.Find(sample + row, sources, counts);
                for (; i < end && row < Rows; i++, row++)
                {
                    int source = batch.Sources[row] = sources[i];
                    FillRow(batch, row, source, windows[source].TokenAt(rowsBefore[source] + counts[source]++));
                }
            }
            batch.SetWeights();
        }

        private void FillRow(PackedBatch batch, int row, int source, long at)
        {
            TokenShards shards = mix._sources[source];
            bool masked = !mix._rows.CrossDocument;
            if (mix._rows.Packing == RowPacking.BestFit) mix._packed[(source, Length)].Fill(shards, at, batch, row, masked);
            else DocumentRows.FillWindow(shards, at, batch, row, masked);
        }

        public void TokensBefore(long step, Span<long> tokens)
        {
            order.CountBefore(checked((step - phase.FirstStep) * Rows), tokens);
            for (int k = 0; k < tokensBefore.Length; k++) tokens[k] = tokensBefore[k] + (tokens[k] * Length);
        }

        public void EpochsBefore(long step, Span<double> epochs)
        {
            Span<long> rows = epochs.Length <= StackSources ? stackalloc long[epochs.Length] : new long[epochs.Length];
            order.CountBefore(checked((step - phase.FirstStep) * Rows), rows);
            for (int k = 0; k < epochs.Length; k++) epochs[k] = epochsBefore[k] + mix.EpochsOf(rows[k], k, Length);
        }
    }
}
