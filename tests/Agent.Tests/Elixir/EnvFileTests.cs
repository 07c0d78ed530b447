using CsCheck;
using Decant.Agent.Elixir;
using Decant.Errors;

namespace Decant.Agent.Tests.Elixir;

public class EnvFileTests
{
    [TestCase("NAME=value", "value")]
    [TestCase("  export NAME=value  ", "value")]
    [TestCase("NAME=", "")]
    [TestCase("NAME=a=b#c", "a=b#c")]
    [TestCase("NAME='a \"b\" \\n $c'", "a \"b\" \\n $c")]
    [TestCase("NAME=\"a \\\"b\\\" \\\\ \\$c\\nd\"", "a \"b\" \\ $c\nd")]
    [TestCase("NAME=''", "")]
    public void A_value_is_read_as_it_is_or_in_quotes(string line, string value)
        => Assert.That(EnvFile.Parse("f", ["# a comment", "", line])["NAME"], Is.EqualTo(value));

    [TestCase("NAME")]
    [TestCase("=value")]
    [TestCase("1NAME=value")]
    [TestCase("NA-ME=value")]
    [TestCase("NAME =value")]
    [TestCase("NAME=\"s3cret")]
    [TestCase("NAME='s3cret' more")]
    [TestCase("NAME=\"s3cret\\\"")]
    [TestCase("NAME=\"s3\"cret\"")]
    [TestCase("NAME='")]
    public void A_line_that_is_none_is_refused_with_its_place_and_without_its_value(string line)
    {
        var error = Assert.Throws<OperatorException>(() => EnvFile.Parse("/etc/demo.env", ["GOOD=1", line]))!.Error;

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("ENV_FILE_INVALID"));
            Assert.That(error.Message, Does.StartWith("/etc/demo.env:2: "));
            Assert.That(error.Message, Does.Not.Contain("cret"));
        });
    }

    [Test]
    public void Whatever_is_put_in_quotes_comes_out_again()
        => Gen.String[Gen.Char[' ', '~'], 0, 30].Sample(value =>
        {
            var quoted = value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
            return EnvFile.Parse("f", [$"NAME=\"{quoted}\""])["NAME"] == value
                && (value.Contains('\'', StringComparison.Ordinal) || EnvFile.Parse("f", [$"NAME='{value}'"])["NAME"] == value);
        });

    [Test]
    public void A_file_that_others_may_read_or_write_is_refused_with_the_command_that_mends_it([Values(0b100_000, 0b010_000, 0b100, 0b010)] int others)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["demo.env"], "NAME=value");
        File.SetUnixFileMode(directory["demo.env"], (UnixFileMode)(0b110_000_000 | others));

        var error = Assert.Throws<OperatorException>(() => EnvFile.Read(directory["demo.env"]))!.Error;

        Assert.That((error.Reason, error.WhatNext), Is.EqualTo(("ENV_FILE_EXPOSED", $"run: chmod 600 {directory["demo.env"]}")));
    }

    [Test]
    public void A_value_with_a_NUL_which_no_process_can_have_is_refused_without_being_shown()
    {
        var error = Assert.Throws<OperatorException>(() => EnvFile.Parse("f", ["SECRET=hush\0"]))!.Error;

        Assert.That((error.Reason, error.Message), Is.EqualTo(("ENV_FILE_INVALID", "f:1: the value of SECRET has a NUL in it, which no process can have")));
    }

    [Test]
    public void A_file_that_is_not_there_is_told_of()
        => Assert.That(
            () => EnvFile.Read("/nowhere/demo.env"),
            Throws.TypeOf<OperatorException>().With.Property(nameof(OperatorException.Error)).Property("Reason").EqualTo("ENV_FILE_UNREADABLE"));
}
