using Decant.Names;

namespace Decant.Agent.Tests;

public class NameTests
{
    [TestCase("shop")]
    [TestCase("my_app-2")]
    public void A_plain_name_is_taken_as_it_is(string text) => Assert.That(AppName.Parse(text).Value, Is.EqualTo(text));

    [TestCase(null, "app is missing")]
    [TestCase("", "app is missing")]
    [TestCase("../etc", "allowed are a-z")]
    [TestCase("Shop", "the character 'S'")]
    [TestCase("-shop", "must begin and end")]
    [TestCase("sh\nop", "U+000A")]
    public void A_name_that_could_be_a_path_an_option_or_a_line_is_refused_with_the_reason(string? text, string reason)
    {
        Assert.That(AppName.TryParse(text, out _, out var why), Is.False);
        Assert.That(why, Does.Contain(reason));
    }

    [TestCase("..")]
    [TestCase("1.0/..")]
    public void A_version_cannot_climb_out_of_a_directory(string text)
        => Assert.That(ReleaseVersion.TryParse(text, out _, out _), Is.False);
}
