using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;
using Xunit;

namespace Finery.Tests.Data.Batches.Mixing;

public sealed class MixedBatchesTests : IDisposable
{
    private const int IdsPerSource = 1_000_000;
    private readonly List<SyntheticShards> _open = [];

    public void Dispose()
    {
        foreach (SyntheticShards shards in _open) shards.Dispose();
    }

    private TokenShards Source(int number, int tokens, int longestDocument = 50, int documentsPerFile = 40)
    {
        _open.Add(new(SyntheticShards.Documents(tokens, longestDocument, seed: tokens), number * IdsPerSource, documentsPerFile));
        return _open[^1].Shards;
    }

    private static DataStage Stage(double[] weights, long steps, int? rows = null, int? length = null, params RampStep[] ramp) => new()
    {
        Name = $"stage of {steps} steps", Steps = steps,
        Data = new()
        {
            Mix = Enumerable.Range(0, weights.Length).ToDictionary(k => $"s{k}", k => weights[k]), Rows = rows, SequenceLength = length,
            Ramp = ramp,
        },
    };

    private static DataSchedule Schedule(int sources, params DataStage[] stages) =>
        DataSchedule.Create([.. Enumerable.Range(0, sources).Select(k => $"s{k}")], stages, 2, 16);

    /// <summary>Follows the tokens of each source and knows when an epoch ends: when a token comes again.</summary>
    private sealed class EpochChecker(IReadOnlyList<TokenShards> sources)
    {
        private readonly HashSet<int>[] _seen = [.. sources.Select(_ => new HashSet<int>())];

        public long[] Tokens { get; } = new long[sources.Count];

        public int[] Epochs { get; } = new int[sources.Count];

        public void Add(PackedBatch batch)
        {
            for (int row = 0; row < batch.Rows; row++)
            {
                int source = batch.Sources[row];
                int[] ids = batch.Ids[(row * batch.Length)..((row + 1) * batch.Length)];
                Assert.All(ids, id => Assert.Equal(source, id / IdsPerSource));
                Assert.Equal(ids.Length, ids.Distinct().Count());
                if (ids.Any(_seen[source].Contains))
                {
                    long left = sources[source].TokenCount - _seen[source].Count;
                    Assert.True(left < batch.Length, $"{left} tokens of source {source} were skipped, with rows of {batch.Length}");
                    _seen[source].Clear();
                    Epochs[source]++;
                }
                _seen[source].UnionWith(ids);
                Tokens[source] += ids.Length;
            }
        }
    }

    [Fact]
    public void Stages_and_ramps_read_every_source_on_without_repeating_or_skipping()
    {
        TokenShards[] sources = [Source(0, 3001), Source(1, 997), Source(2, 100)];
        var mix = new MixedBatches(sources, Schedule(3,
            Stage([.8, .2, 0], 40, rows: 3, ramp: [new() { AfterTokens = 500, Rows = 4 }, new() { AfterTokens = 900, SequenceLength = 24 }]),
            Stage([.5, .4, .2], 30, length: 40),
            Stage([0, 1, 1], 25, length: 7)), seed: 5);
        var checker = new EpochChecker(sources);
        var tokens = new long[3];
        for (long step = 0; step < mix.Schedule.Steps + 60; step++)
        {
            mix.TokensBefore(step, tokens);
            Assert.Equal(checker.Tokens, tokens);
            Assert.Equal(mix.Schedule.TokensBefore(step), tokens.Sum());
            checker.Add(BatchAssert.Filled(mix.Phase(mix.Schedule.PhaseAt(step)), step));
        }
        Assert.True(checker.Epochs.Min() >= 1, string.Join(", ", checker.Epochs));
    }

    [Fact]
    public void Random_schedules_hold_to_the_same()
    {
        var random = new Random(11);
        for (int trial = 0; trial < 60; trial++)
        {
            int count = 1 + random.Next(4);
            TokenShards[] sources = [.. Enumerable.Range(0, count).Select(k => Source(k, 60 + random.Next(1500), 1 + random.Next(90)))];
            double[] Weights() => [1, .. Enumerable.Range(1, count - 1).Select(_ => random.Next(3) == 0 ? 0 : random.NextDouble() * 3)];
            DataStage[] stages = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => Stage(
                Weights(), 20 + random.Next(20), random.Next(2) == 0 ? null : 1 + random.Next(6), random.Next(2) == 0 ? null : 2 + random.Next(50),
                random.Next(2) == 0 ? [] : [new() { AfterTokens = 1 + random.Next(20), Rows = 1 + random.Next(4) },
                    new() { AfterTokens = 22 + random.Next(10), SequenceLength = 2 + random.Next(40) }]))];
            var schedule = Schedule(count, stages);
            var mix = new MixedBatches(sources, schedule, (ulong)trial);
            var checker = new EpochChecker(sources);
            var batches = new List<PackedBatch>();
            var tokens = new long[count];
            for (long step = 0; step < schedule.Steps + 10; step++)
            {
                batches.Add(BatchAssert.Filled(mix.Phase(schedule.PhaseAt(step)), step));
                checker.Add(batches[^1]);
                Assert.Equal(schedule.TokensBefore(step + 1), checker.Tokens.Sum());
            }
            mix.TokensBefore(schedule.Steps + 10, tokens);
            Assert.Equal(checker.Tokens, tokens);
            // Resuming is filling: a mix opened anew, at any step, in any order.
            var again = new MixedBatches(sources, Schedule(count, stages), (ulong)trial);
            for (int i = 0; i < 20; i++)
            {
                int step = random.Next(batches.Count);
                BatchAssert.AreEqual(batches[step], BatchAssert.Filled(again.Phase(schedule.PhaseAt(step)), step));
            }
        }
    }

    [Fact]
    public void Batches_are_pure_in_every_phase()
    {
        var mix = new MixedBatches([Source(0, 2000), Source(1, 500)], Schedule(2, Stage([1, 1], 30), Stage([1, 3], 30, 3, 32)), seed: 1);
        BatchAssert.IsPure(mix.Phase(0), 60);
        PackedBatch[] expected = [.. Enumerable.Range(30, 40).Select(step => BatchAssert.Filled(mix.Phase(1), step))];
        var parallel = new PackedBatch[40];
        Parallel.For(0, 40, i => parallel[i] = BatchAssert.Filled(mix.Phase(1), 30 + i));
        for (int i = 0; i < 40; i++) BatchAssert.AreEqual(expected[i], parallel[i]);
    }

    [Fact]
    public void The_order_of_rows_does_not_depend_on_how_many_a_step_has()
    {
        TokenShards[] sources = [Source(0, 2000), Source(1, 900), Source(2, 300)];
        double[] weights = [.6, .3, .1];
        int[] Ids(params DataStage[] stages)
        {
            var mix = new MixedBatches(sources, Schedule(3, stages), seed: 2);
            return [.. Enumerable.Range(0, (int)mix.Schedule.Steps)
                .SelectMany(step => BatchAssert.Filled(mix.Phase(mix.Schedule.PhaseAt(step)), step).Ids)];
        }
        int[] expected = Ids(Stage(weights, 48, rows: 1));
        Assert.Equal(expected, Ids(Stage(weights, 6, rows: 8)));
        Assert.Equal(expected, Ids(Stage(weights, 16, rows: 3)));
    }

    [Fact]
    public void An_epoch_at_one_length_is_shuffled_whole_whatever_the_stages()
    {
        var mix = new MixedBatches([Source(0, 1600), Source(1, 1600)], Schedule(2, Stage([1, 1], 10, rows: 5), Stage([1, 3], 40, rows: 5)), seed: 3);
        int[] firsts = [.. Enumerable.Range(0, 10).SelectMany(step =>
        {
            PackedBatch batch = BatchAssert.Filled(mix.Phase(0), step);
            return Enumerable.Range(0, 5).Where(row => batch.Sources[row] == 0).Select(row => batch.Ids[row * 16]);
        })];
        // A quarter of the source, but from all of it.
        Assert.InRange(firsts.Length, 24, 26);
        Assert.All(Enumerable.Range(0, 4), quarter => Assert.Contains(firsts, id => id / 400 == quarter));
    }

    [Fact]
    public void A_phase_goes_on_beyond_its_end_without_repeating()
    {
        TokenShards[] sources = [Source(0, 4000), Source(1, 4000)];
        var mix = new MixedBatches(sources, Schedule(2, Stage([2, 1], 20), Stage([1, 1], 20, length: 20), Stage([1, 2], 20)), seed: 3);
        for (int phase = 0; phase < 3; phase++)
        {
            long first = mix.Schedule.Phases[phase].FirstStep;
            int[] ids = [.. Enumerable.Range((int)first, 60).SelectMany(step => BatchAssert.Filled(mix.Phase(phase), step).Ids)];
            Assert.Equal(ids.Length, ids.Distinct().Count());
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => mix.Phase(1).Fill(19, mix.Phase(1).CreateBatch()));
    }

    [Fact]
    public void Seeds_and_epochs_differ_in_order_and_borders()
    {
        TokenShards source = Source(0, 1000);
        int[] Firsts(ulong seed, int epoch)
        {
            IBatchSource batches = MixedBatches.Of(source, 16, 1, seed);
            return [.. Enumerable.Range(epoch * 62, 62).Select(step => BatchAssert.Filled(batches, step).Ids[0])];
        }
        Assert.NotEqual(Firsts(1, 0), Firsts(1, 1));
        Assert.NotEqual(Firsts(1, 0).Order(), Firsts(1, 1).Order());
        Assert.NotEqual(Firsts(1, 0), Firsts(2, 0));
        Assert.Equal(Firsts(1, 1), Firsts(1, 1));
    }

    [Fact]
    public void Epochs_are_reported_by_source_and_together()
    {
        var mix = new MixedBatches([Source(0, 1600), Source(1, 320)], Schedule(2, Stage([1, 1], 10, rows: 8), Stage([0, 1], 10)), seed: 1);
        var epochs = new double[2];
        mix.EpochsBefore(10, epochs);
        Assert.Equal([.4, 2], epochs);
        Assert.Equal(1280.0 / 1920, mix.Phase(0).EpochAt(10), 12);
        mix.EpochsBefore(20, epochs);
        Assert.Equal([.4, 6], epochs);
        IBatchSource single = MixedBatches.Of(_open[0].Shards, 16, 2, seed: 1);
        Assert.Equal((0, 1.5), (single.EpochAt(0), single.EpochAt(75)));
    }

    [Fact]
    public void Fingerprints_tell_apart_all_that_changes_a_batch_and_nothing_else()
    {
        TokenShards[] sources = [Source(0, 600), Source(1, 640)];
        string Print(ulong seed, RowSettings? rows, params DataStage[] stages) =>
            new MixedBatches(sources, Schedule(2, stages), seed, rows).Fingerprint;
        string first = Print(1, null, Stage([1, 1], 9), Stage([1, 2], 9));
        Assert.Equal(first, Print(1, null, Stage([2, 2], 9), Stage([1, 2], 30)));
        string[] all = [first, Print(2, null, Stage([1, 1], 9), Stage([1, 2], 9)), Print(1, null, Stage([1, 1], 8), Stage([1, 2], 9)),
            Print(1, null, Stage([1, 1], 9), Stage([1, 3], 9)), Print(1, null, Stage([1, 1], 9), Stage([1, 2], 9, rows: 3)),
            Print(1, null, Stage([1, 1], 9), Stage([1, 2], 9, length: 15)),
            Print(1, new() { CrossDocument = true }, Stage([1, 1], 9), Stage([1, 2], 9)),
            Print(1, new() { Packing = RowPacking.BestFit }, Stage([1, 1], 9), Stage([1, 2], 9)), Print(1, null, Stage([1, 1], 9))];
        Assert.Equal(all.Length, all.Distinct().Count());
        Array.Reverse(sources);
        Assert.NotEqual(first, Print(1, null, Stage([1, 1], 9), Stage([1, 2], 9)));
    }

    [Fact]
    public void Sources_that_cannot_be_read_are_named()
    {
        TokenShards large = Source(0, 500), small = Source(1, 30);
        _open.Add(new([50], tokenizer: "other"));
        string message = Assert.Throws<InvalidDataException>(() => new MixedBatches(
            [large, small, _open[^1].Shards],
            Schedule(3, Stage([1, 1, 1], 3), Stage([1, 1, 0], 3, length: 31), Stage([1, 0, 1], 3, length: 64)), 1)).Message;
        Assert.Contains("'s1' has 30 tokens, fewer than one row of 31", message);
        Assert.Contains("'s2' has 50 tokens, fewer than one row of 64", message);
        Assert.Contains("'s2' was made with another tokenizer", message);
        // Where it is not read, it may be as short as it is.
        var mix = new MixedBatches([large, small], Schedule(2, Stage([1, 1], 3, length: 30), Stage([1, 0], 3, length: 100)), 1);
        BatchAssert.Filled(mix.Phase(1), 5);
        Assert.Throws<InvalidDataException>(() => new MixedBatches([large], Schedule(2, Stage([1, 1], 3)), 1));
        Assert.Throws<ArgumentException>(() => mix.Phase(0).Fill(0, new PackedBatch(2, 29)));
        Assert.Throws<ArgumentOutOfRangeException>(() => mix.Phase(0).Fill(-1, mix.Phase(0).CreateBatch()));
    }

    [Fact]
    public void Damage_found_while_reading_names_the_file()
    {
        _open.Add(new([40, 40], vocabSize: 65_536));
        string data = Path.Combine(_open[^1].Folder, "tokens_00000.ds");
        using (TokenShards whole = TokenShards.Open(_open[^1].Folder)) BatchAssert.Filled(MixedBatches.Of(whole, 16, 5, 1), 0);
        string manifest = Path.Combine(_open[^1].Folder, TokenShardManifest.FileName);
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("65536", "79"));
        using TokenShards damaged = TokenShards.Open(_open[^1].Folder);
        IBatchSource batches = MixedBatches.Of(damaged, 16, 5, 1);
        string message = Assert.Throws<InvalidDataException>(() => batches.Fill(0, batches.CreateBatch())).Message;
        Assert.Contains($"{data} is damaged: token 79 has id 79", message);
        File.WriteAllBytes(data, File.ReadAllBytes(data)[..^3]);
        Assert.Contains("truncated", Assert.Throws<InvalidDataException>(() => TokenShards.Open(_open[^1].Folder)).Message);
    }

    [Fact]
    public void Filling_allocates_nothing()
    {
        var mix = new MixedBatches([Source(0, 2000), Source(1, 500)], Schedule(2, Stage([1, 1], 30), Stage([1, 3], 30, 3, 32)), seed: 1);
        var packed = new MixedBatches([_open[0].Shards, _open[1].Shards], mix.Schedule, 1, new() { Packing = RowPacking.BestFit });
        var tokens = new long[2];
        foreach (MixedBatches batches in new[] { mix, packed })
        {
            PackedBatch batch = batches.Phase(0).CreateBatch();
            long allocated = 0;
            for (int step = 0; step < 30; step++)
            {
                if (step == 10) allocated = GC.GetAllocatedBytesForCurrentThread();
                batches.Phase(0).Fill(step, batch);
                batches.TokensBefore(step, tokens);
                batches.Phase(0).EpochAt(step);
            }
            Assert.Equal(allocated, GC.GetAllocatedBytesForCurrentThread());
        }
    }
}
