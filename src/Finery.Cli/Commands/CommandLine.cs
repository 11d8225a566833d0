using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Finery.Cli.Terminal;
using Finery.Workflow.Runs;
using Finery.Workflow.Steps;

namespace Finery.Cli.Commands;

/// <summary>The command tree, parse errors with suggestions, and the one place where exceptions become exit codes.</summary>
public static class CommandLine
{
    /// <summary>Global flag: no colour on either stream.</summary>
    public static Option<bool> NoColor { get; } = new("--no-color") { Description = "No colour.", Recursive = true };

    /// <summary>Global flag: stack traces with errors.</summary>
    public static Option<bool> Debug { get; } = new("--debug") { Description = "Stack traces with errors.", Recursive = true };

    /// <summary>Parses and runs.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args)
    {
        var root = Build();
        var parsed = root.Parse(args);
        bool asksForHelp = parsed.Action is HelpAction or { Terminating: true } && parsed.Action is not ParseErrorAction;
        if (!asksForHelp && Problems(parsed) is { Count: > 0 } problems)
        {
            foreach (string problem in problems) Console.Error.WriteLine($"finery: {problem}");
            Console.Error.WriteLine($"Run '{CommandPath(parsed.CommandResult)} --help' for usage.");
            return (int)ExitCode.Usage;
        }
        bool debug = parsed.GetValue(Debug);
        try
        {
            return parsed.Invoke(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception)
        {
            return Report(exception, debug);
        }
    }

    /// <summary>The streams a command writes to.</summary>
    public static Streams StreamsOf(ParseResult parsed) => new(parsed.GetValue(NoColor));

    private static RootCommand Build()
    {
        var root = new RootCommand(
            "Finery builds language models end to end: curate text, train a tokenizer, pretrain, finetune, align, evaluate, " +
                "serve.")
        {
            QuickstartCommand.Create(),
            RunCommand.Create(),
            SweepCommand.Create(),
            ScalingCommand.Create(),
            RunsCommand.Create(),
            InspectCommand.Create(),
            DoctorCommand.Create(),
            GenerateCommand.Create(),
            ChatCommand.Create(),
            ServeCommand.Create(),
            TokenizerCommand.Create(),
            CurateCommand.Create(),
            NoColor,
            Debug,
        };
        // A verb of its own stands for the step of that name.
        foreach (var (name, type) in StepCatalogue.Steps)
            if (root.Subcommands.All(command => command.Name != name)) root.Add(StepCommand.Create(name, type));
        return root;
    }

    private static int Report(Exception exception, bool debug)
    {
        Console.Out.Flush();
        if (debug) Console.Error.WriteLine(exception);
        (ExitCode code, string message) = exception switch
        {
            UsageException or RecipeException => (ExitCode.Usage, exception.Message),
            MissingPrerequisiteException => (ExitCode.MissingPrerequisite, exception.Message),
            StepFailedException failed => (failed.Code, exception.Message),
            OperationCanceledException => (ExitCode.Interrupted, "interrupted."),
            OutOfMemoryException =>
                (ExitCode.Failure, "out of memory. Use a smaller model, batch or context, or a machine with more memory."),
            IOException or InvalidDataException or UnauthorizedAccessException or ArgumentException or NotSupportedException
                or FormatException or RunFolderException => (ExitCode.Failure, exception.Message),
            _ => (ExitCode.Failure,
                $"{exception.GetType().Name}: {exception.Message} (run again with --debug for the stack trace)"),
        };
        Console.Error.WriteLine($"finery: {message.ReplaceLineEndings(" ")}");
        return (int)code;
    }

    private static List<string> Problems(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var problems = new List<string>();
        var unmatched = parsed.UnmatchedTokens.ToList();
        // An argument of type string swallows a misspelt flag; nothing here takes a path or text that begins with two dashes.
        int escape = parsed.Tokens.ToList().FindIndex(token => token.Type == TokenType.DoubleDash);
        if (escape < 0)
        {
            unmatched.AddRange(parsed.CommandResult.Children.OfType<ArgumentResult>()
                .SelectMany(argument => argument.Tokens).Select(token => token.Value)
                .Where(value => value.StartsWith("--", StringComparison.Ordinal) && value.Length > 2));
        }
        foreach (string token in unmatched.OrderByDescending(token => token.StartsWith('-')))
        {
            // Behind a misspelt flag stands its value, which is no problem of its own.
            if (problems.Count > 0 && !token.StartsWith('-')) continue;
            problems.Add(Unknown(token, command));
        }
        if (problems.Count > 0) return problems;
        foreach (var error in parsed.Errors)
        {
            bool bare = error.Message.StartsWith("Required command", StringComparison.Ordinal);
            problems.Add(bare ? $"which command? One of: {string.Join(", ", VisibleCommands(command))}."
                : Decapitalize(error.Message));
        }
        return problems;
    }

    private static string Unknown(string token, Command command)
    {
        bool flag = token.StartsWith('-');
        var known = flag
            ? AllOptions(command).SelectMany(option => option.Aliases.Append(option.Name))
                .Where(name => name.StartsWith("--", StringComparison.Ordinal))
            : VisibleCommands(command);
        string kind = flag ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
        string path = CommandName(command);
        string suggestion = Spelling.Nearest(token, known) is { } near ? $" Did you mean '{near}'?" : "";
        return $"unknown {kind} '{token}'{(path.Length > 0 ? $" for '{path}'" : "")}.{suggestion}";
    }

    private static IEnumerable<Option> AllOptions(Command command) => command.Options
        .Concat(command.Parents.OfType<Command>().SelectMany(AllOptions).Where(option => option.Recursive)).Distinct();

    private static IEnumerable<string> VisibleCommands(Command command) =>
        command.Subcommands.Where(sub => !sub.Hidden).Select(sub => sub.Name);

    private static string CommandName(Command command) => command is RootCommand ? "" : command.Name;

    private static string CommandPath(CommandResult result)
    {
        var names = new List<string>();
        for (SymbolResult? at = result; at is CommandResult { Command: not RootCommand } command; at = command.Parent)
            names.Insert(0, command.Command.Name);
        return string.Join(' ', names.Prepend("finery"));
    }

    private static string Decapitalize(string text) => text.Length > 1 && char.IsUpper(text[0]) && !char.IsUpper(text[1])
        ? char.ToLowerInvariant(text[0]) + text[1..]
        : text;
}
