using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Data.Readers;
using Finery.Data.Tokenizers;
using Finery.Workflow.Runs;
using Finery.Workflow.Steps;

namespace Finery.Cli.Commands;

/// <summary><c>finery tokenizer</c>: text to token ids and back, what a tokenizer is, two of them side by side; training, as the
/// step does it.</summary>
public static class TokenizerCommand
{
    private const string TrainStep = "train-tokenizer";

    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("tokenizer", "Train a tokenizer, or use one.") { Encode(), Decode(), Info(), Compare() };
        if (StepCatalogue.Steps.TryGetValue(TrainStep, out var type)) command.Add(StepCommand.Create(TrainStep, type, "train"));
        return command;
    }

    private static Argument<string> TokenizerArgument(string name = "tokenizer") =>
        new(name) { Description = "tokenizer.json, a folder that has one (a model folder does), or a published .tiktoken file." };

    private static Option<string[]> InputOption(string description) =>
        new("--input")
        {
            Description = description, HelpName = "path", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.OneOrMore,
        };

    private static Option<bool> JsonOption() => new("--json") { Description = "As JSON." };

    private static Command Encode()
    {
        var tokenizer = TokenizerArgument();
        var text = new Argument<string?>("text") { Description = "The text; read from stdin when piped.",
            Arity = ArgumentArity.ZeroOrOne };
        var input = InputOption("Files instead: a line of ids for each document of .jsonl and .jsonl.gz, for any other file as a whole.");
        var lines = new Option<bool>("--lines") { Description = "A line of ids for each line of text." };
        var special = new Option<bool>("--special") { Description = "Control tokens in the text, such as <|im_start|>, count " +
            "as such." };
        var pieces = new Option<bool>("--pieces") { Description = "One line per token: id and text." };
        var count = new Option<bool>("--count") { Description = "Only how many texts, bytes and tokens." };
        var command = new Command("encode", "Text to token ids.") { tokenizer, text, input, lines, special, pieces, count };
        command.SetAction(parsed =>
        {
            var loaded = TokenizerFacts.Load(parsed.GetRequiredValue(tokenizer));
            var streams = CommandLine.StreamsOf(parsed);
            var report = new ReadReport();
            long texts = 0, bytes = 0, tokens = 0;
            var ids = new List<int>();
            foreach (string one in Texts(parsed.GetValue(text), parsed.GetValue(input) ?? [], parsed.GetValue(lines), report))
            {
                ids.Clear();
                loaded.Encode(one, ids, parsed.GetValue(special));
                (texts, bytes, tokens) = (texts + 1, bytes + Encoding.UTF8.GetByteCount(one), tokens + ids.Count);
                if (!parsed.GetValue(count)) Write(ids, parsed.GetValue(pieces) ? loaded : null, streams.Data);
            }
            TokenizerTexts.Warn(report, streams);
            if (parsed.GetValue(count)) Inspection.Write(new JsonObject
            {
                ["texts"] = texts, ["bytes"] = bytes, ["tokens"] = tokens,
                ["bytes_per_token"] = tokens == 0 ? 0 : Math.Round((double)bytes / tokens, 3),
            }, streams);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static IEnumerable<string> Texts(string? text, string[] inputs, bool lines, ReadReport report)
    {
        if (inputs.Length > 0)
        {
            return text is null ? TokenizerTexts.Read(inputs, lines, report)
                : throw new UsageException("give a text or --input, not both.");
        }
        if (text is not null) return lines ? text.Split('\n') : [text];
        if (!Console.IsInputRedirected) throw new UsageException("give the text as an argument, with --input, or pipe it in.");
        return lines ? TokenizerTexts.Lines(Console.In.ReadLine) : [Console.In.ReadToEnd()];
    }

    /// <summary>A line of ids, or, given a tokenizer, one line per token with its text.</summary>
    private static void Write(List<int> ids, Tokenizer? pieces, TextWriter output)
    {
        var text = new StringBuilder();
        for (int i = 0; i < ids.Count; i++)
        {
            if (pieces is not null)
                text.Append(CultureInfo.InvariantCulture, $"{ids[i]}\t{pieces.TokenText(ids[i])}{Environment.NewLine}");
            else
                text.Append(i > 0 ? " " : "").Append(ids[i]);
            if (text.Length < 1 << 15) continue;
            output.Write(text);
            text.Clear();
        }
        if (pieces is null) text.Append(Environment.NewLine);
        output.Write(text);
    }

    private static Command Decode()
    {
        var tokenizer = TokenizerArgument();
        var ids = new Argument<string[]>("ids") { Description = "Token ids; read from stdin when piped.",
            Arity = ArgumentArity.ZeroOrMore };
        var input = new Option<string?>("--input") { Description = "A file of ids instead.", HelpName = "path" };
        var lines = new Option<bool>("--lines") { Description = "A line of text for each line of ids." };
        var skip = new Option<bool>("--skip-special") { Description = "Leave control tokens out." };
        var command = new Command("decode", "Token ids to text.") { tokenizer, ids, input, lines, skip };
        command.SetAction(parsed =>
        {
            var loaded = TokenizerFacts.Load(parsed.GetRequiredValue(tokenizer));
            var output = CommandLine.StreamsOf(parsed).Data;
            string? path = parsed.GetValue(input);
            using var reader = Ids(parsed.GetValue(ids) ?? [], path);
            var decoder = new StreamingDecoder(loaded, parsed.GetValue(skip));
            var text = new StringBuilder();
            bool byLine = parsed.GetValue(lines), open = false;
            foreach (string? word in TokenizerTexts.Words(reader))
            {
                open = word is not null;
                if (word is not null) text.Append(decoder.Push(IdOf(word, loaded)));
                else if (byLine) text.Append(decoder.Flush()).Append(Environment.NewLine);
                if (text.Length < 1 << 15) continue;
                output.Write(text);
                text.Clear();
            }
            text.Append(decoder.Flush());
            // A file gives the text and nothing more, so that it can be had back as it was.
            if (byLine ? open : path is null) text.Append(Environment.NewLine);
            output.Write(text);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static TextReader Ids(string[] arguments, string? path)
    {
        if (path is not null)
        {
            if (arguments.Length > 0) throw new UsageException("give ids or --input, not both.");
            return File.Exists(path) ? TokenizerTexts.Open(path) : throw new UsageException($"--input: there is no file {path}.");
        }
        if (arguments.Length > 0) return new StringReader(string.Join(' ', arguments));
        return Console.IsInputRedirected ? Console.In
            : throw new UsageException("give the ids as arguments, with --input, or pipe them in.");
    }

    private static int IdOf(string word, Tokenizer tokenizer) =>
        int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && tokenizer.HasToken(id)
            ? id
            : throw new UsageException($"'{word}' is not a token id of this tokenizer; ids run from 0 to {tokenizer.VocabSize - 1}.");

    private static Command Info()
    {
        var tokenizer = TokenizerArgument();
        var json = JsonOption();
        var command = new Command("info", "Show what a tokenizer is: size, split, control tokens, longest tokens, files.")
        {
            tokenizer, json,
        };
        command.SetAction(parsed => Show(
            TokenizerFacts.Of(parsed.GetRequiredValue(tokenizer)), parsed.GetValue(json), CommandLine.StreamsOf(parsed)));
        return command;
    }

    private static Command Compare()
    {
        Argument<string> first = TokenizerArgument("a"), second = TokenizerArgument("b");
        var input = InputOption("Files, folders or globs of text, JSON Lines or .NET documentation.");
        input.Required = true;
        var megabytes = new Option<int>("--megabytes") { Description = "MiB of text to read at most.", DefaultValueFactory = _ => 64 };
        var json = JsonOption();
        var command = new Command("compare", "Set two tokenizers side by side on the same text.")
        {
            first, second, input, megabytes, json,
        };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            if (parsed.GetValue(megabytes) is < 1 or > 2048) throw new UsageException("--megabytes must be from 1 to 2048.");
            return Show(
                TokenizerComparison.Of(
                    parsed.GetRequiredValue(first), parsed.GetRequiredValue(second), parsed.GetValue(input)!,
                    parsed.GetValue(megabytes), streams),
                parsed.GetValue(json), streams);
        });
        return command;
    }

    private static int Show(JsonObject facts, bool json, Streams streams)
    {
        if (json) streams.Data.WriteLine(facts.ToJsonString(Indented));
        else Inspection.Write(facts, streams);
        return (int)ExitCode.Ok;
    }
}
