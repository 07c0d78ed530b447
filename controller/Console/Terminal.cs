using System.Text;
using System.Text.Json;
using Decant.Errors;
using Spectre.Console;

namespace Decant.Controller.Console;

/// <summary>
/// Where commands print: results to standard output, errors and notes to standard error. With <c>--json</c>, standard output has one JSON
/// object a line and nothing else.
/// </summary>
/// <param name="output">For results.</param>
/// <param name="errors">For errors and notes.</param>
/// <param name="json">Standard output, as bytes, for <c>--json</c>.</param>
public sealed class Terminal(IAnsiConsole output, IAnsiConsole errors, Stream json)
{
    private readonly Lock gate = new();

    /// <summary>For results.</summary>
    public IAnsiConsole Output => output;

    /// <summary>Whether a person watches: colours and lines that change.</summary>
    public bool IsInteractive => output.Profile.Capabilities is { Interactive: true, Ansi: true } && output.Profile.Out.IsTerminal;

    /// <summary>The process's own streams.</summary>
    public static Terminal Create()
    {
        var errors = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(System.Console.Error) });
        if (System.Console.IsOutputRedirected) AnsiConsole.Console.Profile.Width = 240;
        if (System.Console.IsErrorRedirected) errors.Profile.Width = 240;
        return new Terminal(AnsiConsole.Console, errors, System.Console.OpenStandardOutput());
    }

    /// <summary>One line of results, as it is.</summary>
    public void Line(string text)
    {
        lock (gate) output.Profile.Out.Writer.WriteLine(text);
    }

    /// <summary>A note for people on standard error.</summary>
    public void Note(string text)
    {
        lock (gate) errors.Profile.Out.Writer.WriteLine(text);
    }

    /// <summary>An error: what failed, where, and what to do next.</summary>
    public void Error(OperatorError error)
    {
        lock (gate)
        {
            var host = error.Facts.TryGetValue("host", out var name) ? $"{name}: " : "";
            errors.MarkupLineInterpolated($"[red]error:[/] {host}{error.Message}");
            foreach (var field in error.Fields.Where(f => !error.Message.Contains(f.Reason, StringComparison.Ordinal)))
                errors.MarkupLineInterpolated($"  {field.Field}: {field.Reason}");
            if (error.Facts.TryGetValue("state", out var state)) errors.MarkupLineInterpolated($"  state: {state}");
            if (error.WhatNext.Length > 0) errors.MarkupLineInterpolated($"  next:  {error.WhatNext}");
        }
    }

    /// <summary>One JSON object as a line of standard output.</summary>
    public void Json(Action<Utf8JsonWriter> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        Json(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }

    /// <summary>The same, written already.</summary>
    public void Json(string line)
    {
        lock (gate)
        {
            json.Write(Encoding.UTF8.GetBytes(line + "\n"));
            json.Flush();
        }
    }
}
