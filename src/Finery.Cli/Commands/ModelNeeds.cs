using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Finery.Cli.Inference;
using Finery.Cli.Terminal;
using Finery.Models;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Scaling;

namespace Finery.Cli.Commands;

/// <summary><c>finery doctor --model</c>: what a model takes to train and to run here, without building it.</summary>
/// <param name="Config">Shape.</param>
/// <param name="BatchTokens">Tokens of a micro-batch.</param>
/// <param name="SequenceLength">Tokens of a row, and of the context for inference.</param>
/// <param name="Precision">Of training.</param>
/// <param name="Threads">Of the kernels.</param>
/// <param name="Training">Memory by level of recomputation.</param>
/// <param name="Inference">Memory to generate with a full cache.</param>
/// <param name="PeakFlops">Measured in matrix products.</param>
public sealed record ModelNeeds(
    ModelConfig Config, int BatchTokens, int SequenceLength, DType Precision, int Threads,
    IReadOnlyList<(Recompute Recompute, MemoryEstimate Memory)> Training, MemoryEstimate Inference, double PeakFlops)
{
    private double FlopsPerToken => Config.TrainingFlopsPerToken(SequenceLength);

    /// <summary>Prints a table.</summary>
    public void Write(Streams streams)
    {
        long available = MemoryEstimate.Available();
        streams.Data.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Config.ParameterCount:N0} parameters; training takes {FlopsPerToken / 1e6:N1} MFLOP a token in rows of {SequenceLength:N0}"));
        streams.Data.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{PeakFlops / 1e9:N0} GFLOP/s in fp32 matrix products on {Threads} threads: at most {PeakFlops / FlopsPerToken:N0} tokens/s"));
        streams.Data.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Quantities.Bytes(available)} of memory available; training in {Precision} with {BatchTokens:N0} tokens at a time:"));
        var table = new TextTable("recompute", "weights", "gradients", "optimizer", "activations", "kernels", "total", "");
        foreach (var (recompute, memory) in Training)
        {
            table.Add(Name(recompute), Quantities.Bytes(memory.Weights), Quantities.Bytes(memory.Gradients),
                Quantities.Bytes(memory.OptimizerState), Quantities.Bytes(memory.Activations), Quantities.Bytes(memory.Scratch),
                Quantities.Bytes(memory.Total), memory.Total <= available ? "fits" : "does not fit");
        }
        table.Write(streams);
        streams.Data.WriteLine($"generating with a context of {SequenceLength}: weights {Quantities.Bytes(Inference.Weights)}, "
            + $"keys and values {Quantities.Bytes(Inference.Cache)}, in all {Quantities.Bytes(Inference.Total)}");
    }

    /// <summary>The same as JSON.</summary>
    public JsonObject ToJson() => new()
    {
        ["parameters"] = Config.ParameterCount,
        ["flops_per_token"] = FlopsPerToken,
        ["peak_flops"] = PeakFlops,
        ["tokens_per_second_at_peak"] = PeakFlops / FlopsPerToken,
        ["available_bytes"] = MemoryEstimate.Available(),
        ["batch_tokens"] = BatchTokens,
        ["sequence_length"] = SequenceLength,
        ["precision"] = Precision.ToString().ToLowerInvariant(),
        ["training"] = new JsonObject(Training.Select(row => KeyValuePair.Create(Name(row.Recompute), (JsonNode?)ToJson(row.Memory)))),
        ["inference"] = ToJson(Inference),
    };

    private static JsonObject ToJson(MemoryEstimate memory) => new()
    {
        ["weights"] = memory.Weights,
        ["gradients"] = memory.Gradients,
        ["optimizer"] = memory.OptimizerState,
        ["activations"] = memory.Activations,
        ["cache"] = memory.Cache,
        ["kernels"] = memory.Scratch,
        ["total"] = memory.Total,
    };

    private static string Name(Recompute recompute) => recompute.ToString().ToLowerInvariant();

    /// <summary>The flags of <c>doctor</c> that ask for it.</summary>
    public sealed class Options
    {
        private readonly Option<string?> _model = new("--model")
        {
            Description = "Model folder, run folder or config.json: print what training and running it takes instead.",
        };
        private readonly Option<int> _batchTokens = Positive("--batch-tokens", "Tokens of a micro-batch.", 4096);
        private readonly Option<int?> _sequenceLength = new("--sequence-length") { Description = "Tokens of a row. Default: the model's context." };
        private readonly Option<string> _precision = new("--precision") { Description = "Of training.", DefaultValueFactory = _ => "f32" };
        private readonly Option<string?> _recompute = new("--recompute") { Description = "One level only. Default: all three." };
        private readonly Option<int> _threads = ModelArgument.ThreadsOption();

        /// <summary>Restricts the values.</summary>
        public Options()
        {
            _precision.AcceptOnlyFromAmong("f32", "bf16");
            _recompute.AcceptOnlyFromAmong([.. Enum.GetValues<Recompute>().Select(Name)]);
            _sequenceLength.Validators.Add(result =>
            {
                if (result.Tokens.Count > 0 && (!int.TryParse(result.Tokens[0].Value, out int given) || given < 1))
                    result.AddError("--sequence-length must be at least 1.");
            });
        }

        /// <summary>Adds them to a command.</summary>
        public void AddTo(Command command)
        {
            foreach (Option option in new Option[] { _model, _batchTokens, _sequenceLength, _precision, _recompute, _threads }) command.Add(option);
        }

        /// <summary>Estimates and measures; null where no model was given.</summary>
        /// <exception cref="UsageException">There is no such model.</exception>
        public ModelNeeds? Read(ParseResult parsed)
        {
            if (parsed.GetValue(_model) is not { } path) return null;
            var config = File.Exists(path) ? ModelConfig.Parse(File.ReadAllBytes(path)) : ModelConfig.Load(ModelLocator.Find(path).Folder);
            int length = parsed.GetValue(_sequenceLength) ?? config.SequenceLength;
            config = config with { SequenceLength = Math.Max(length, config.SequenceLength) };
            int tokens = parsed.GetValue(_batchTokens), threads = parsed.GetValue(_threads);
            var precision = parsed.GetValue(_precision) == "bf16" ? DType.BF16 : DType.F32;
            var levels = Enum.GetValues<Recompute>().Where(level => parsed.GetValue(_recompute) is not { } only || only == Name(level));
            using var kernels = new CpuKernels(threads);
            return new(
                config, tokens, length, precision, threads,
                [.. levels.Select(level => (level, MemoryEstimate.OfTraining(config, tokens, level, precision, threads: threads)))],
                MemoryEstimate.OfInference(config, length, threads), ThroughputProbe.PeakFlops(kernels));
        }

        private static Option<int> Positive(string name, string description, int value)
        {
            var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => value };
            option.Validators.Add(result =>
            {
                if (result.Tokens.Count > 0 && (!int.TryParse(result.Tokens[0].Value, out int given) || given < 1))
                    result.AddError($"{name} must be at least 1.");
            });
            return option;
        }
    }
}
