using System.CommandLine;
using System.Globalization;
using Finery.Data.Tokenizers;
using Finery.Workflow.Runs;
using Finery.Workflow.Steps;

namespace Finery.Cli.Commands;

/// <summary><c>finery tokenizer</c>: text to token ids and back; training, as the step does it.</summary>
public static class TokenizerCommand
{
    private const string TrainStep = "train-tokenizer";

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("tokenizer", "Train a tokenizer, or use one.") { Encode(), Decode() };
        if (StepCatalogue.Steps.TryGetValue(TrainStep, out var type)) command.Add(StepCommand.Create(TrainStep, type, "train"));
        return command;
    }

    private static Argument<string> TokenizerArgument() =>
        new("tokenizer") { Description = "tokenizer.json, or a folder that has one (a model folder does)." };

    private static Command Encode()
    {
        var tokenizer = TokenizerArgument();
        var text = new Argument<string?>("text") { Description = "The text; read from stdin when piped.",
            Arity = ArgumentArity.ZeroOrOne };
        var special = new Option<bool>("--special") { Description = "Control tokens in the text, such as <|im_start|>, count " +
            "as such." };
        var pieces = new Option<bool>("--pieces") { Description = "One line per token: id and text." };
        var command = new Command("encode", "Text to token ids.") { tokenizer, text, special, pieces };
        command.SetAction(parsed =>
        {
            var loaded = TokenizerFile.Load(parsed.GetRequiredValue(tokenizer));
            string input = parsed.GetValue(text) ?? FromStdin("text");
            int[] ids = loaded.Encode(input, parsed.GetValue(special));
            var output = CommandLine.StreamsOf(parsed).Data;
            if (parsed.GetValue(pieces))
            {
                foreach (int id in ids) output.WriteLine(
                    string.Create(CultureInfo.InvariantCulture, $"{id}\t{loaded.TokenText(id)}"));
            }
            else
            {
                output.WriteLine(string.Join(' ', ids));
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Command Decode()
    {
        var tokenizer = TokenizerArgument();
        var ids = new Argument<string[]>("ids") { Description = "Token ids; read from stdin when piped.",
            Arity = ArgumentArity.ZeroOrMore };
        var skip = new Option<bool>("--skip-special") { Description = "Leave control tokens out." };
        var command = new Command("decode", "Token ids to text.") { tokenizer, ids, skip };
        command.SetAction(parsed =>
        {
            var loaded = TokenizerFile.Load(parsed.GetRequiredValue(tokenizer));
            var given = parsed.GetValue(ids) is { Length: > 0 } arguments ? string.Join(' ', arguments) : FromStdin("ids");
            var numbers = given.Split([' ', ',', '\n', '\r', '\t', '[', ']'], StringSplitOptions.RemoveEmptyEntries)
                .Select(word =>
                int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id < loaded.VocabSize
                    ? id
                    : throw new UsageException(
                        $"'{word}' is not a token id of this tokenizer; ids run from 0 to {loaded.VocabSize - 1}.")).ToArray();
            CommandLine.StreamsOf(parsed).Data.WriteLine(loaded.Decode(numbers, parsed.GetValue(skip)));
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static string FromStdin(string what) => Console.IsInputRedirected
        ? Console.In.ReadToEnd()
        : throw new UsageException($"give the {what} as an argument, or pipe them in.");
}
