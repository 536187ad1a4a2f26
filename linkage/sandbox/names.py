"""Names as a London borough has them: several origins, common and rare ones, and the short forms people go by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Origin:
    """One community's names, commonest first, and its share of the borough's families."""

    share: float
    surnames: tuple[str, ...]
    female: tuple[str, ...]
    male: tuple[str, ...]


def _origin(share: float, surnames: str, female: str, male: str) -> Origin:
    return Origin(share, tuple(surnames.split()), tuple(female.split()), tuple(male.split()))


ORIGINS: tuple[Origin, ...] = (
    _origin(
        0.40,
        """Smith Jones Williams Brown Taylor Davies Wilson Evans Thomas Johnson Roberts Walker Wright Robinson Thompson
        White Hughes Edwards Green Hall Wood Harris Lewis Martin Jackson Clarke Clark Turner Hill Scott Cooper Morris
        Ward Moore King Watson Baker Harrison Morgan Patterson Young Allen Mitchell James Anderson Phillips Lee Bell
        Parker Davis Bennett Miller Cook Shaw Richardson Carter Collins Marshall Bailey Gray Cox Adams Wilkinson Foster
        Chapman Mason Russell Powell Webb Rogers Hunt Mills Holmes Palmer Matthews Gibson Fisher Barnes Knight Lloyd
        Butler Barker Stevens Jenkins Dixon Fletcher Hawkins Pearce Dunn Reynolds Fowler Hayes Brooks Burton Spencer
        Payne Saunders Pritchard Hartley Bradshaw Tomlinson Whitfield Ashdown Fairbrother Goodchild Lockwood Pickering
        Sutcliffe Thornbury Winterbourne Yardley Appleby Bickerstaff Cattermole Drinkwater Entwistle Featherstone
        Gathercole Hollingsworth Inchbald Kettlewell Longbottom Micklethwaite Nettleship Ollerenshaw Postlethwaite""",
        """Olivia Emily Sophie Jessica Charlotte Chloe Lucy Grace Hannah Ella Amelia Mia Ruby Lily Freya Holly Katie
        Georgia Megan Abigail Elizabeth Sarah Laura Rebecca Emma Claire Nicola Michelle Lisa Karen Tracey Julie Susan
        Jacqueline Deborah Catherine Margaret Victoria Alexandra Natalie Kelly Stacey Gemma Donna Samantha Poppy
        Daisy Florence Harriet Imogen Matilda Rosie Beatrice Phoebe Isabelle Eleanor Alice Martha Edith""",
        """Jack Thomas Oliver James William Daniel Joshua Charlie Harry George Samuel Joseph Benjamin Alfie Jacob Lewis
        Luke Matthew Adam Ryan Connor Liam David Michael Andrew Paul Mark Stephen Christopher Robert Richard Anthony
        Simon Kevin Gary Darren Jason Lee Craig Stuart Edward Alexander Nicholas Jonathan Patrick Henry Theodore Arthur
        Frederick Toby Archie Freddie Leo Oscar Edmund Hugo Rupert Nathan Aaron Kieran""",
    ),
    _origin(
        0.16,
        """Campbell Gordon Francis Grant Reid Bailey Henry Clarke Stewart Wallace Graham McIntosh McKenzie Douglas
        Simpson Blake Bryan Daley Duncan Facey Gayle Hibbert Lindo Morrison Nembhard Pinnock Plummer Powell Rowe Salmon
        Samuels Sewell Skyers Tulloch Whyte Wynter Beckford Chambers Dacosta Ellington Farquharson Heslop Latty""",
        """Shanice Chantelle Tanisha Keisha Monique Latoya Sherelle Aaliyah Destiny Kezia Naomi Simone Jasmine Natasha
        Marcia Yvonne Sonia Beverley Paulette Claudette Tiana Renee Kiara Zaria Amara Ebony Rhianna Janelle Camille
        Nevaeh Tamara Leanne Dionne Angela Charmaine""",
        """Jerome Tyrone Marlon Leroy Winston Delroy Dwayne Jermaine Malachi Isaiah Elijah Tyrese Kymani Jaden Reece
        Andre Omari Kai Rashaan Devonte Curtis Errol Clive Trevor Neville Carlton Desmond Darnell Lamar Shaquille
        Micah Josiah Marcus Terrence Rohan""",
    ),
    _origin(
        0.16,
        """Mensah Owusu Boateng Osei Asante Appiah Agyeman Adeyemi Okafor Okonkwo Adebayo Ogunleye Balogun Bello
        Olawale Eze Nwosu Obi Afolabi Akintola Addo Ansah Darko Frimpong Kamara Koroma Sesay Conteh Bangura Jalloh
        Diallo Traore Amoah Ofori Sarpong Yeboah Acheampong Adjei Opoku Oyelaran Ezenwa Onyekachi Abiola Oladipo""",
        """Abena Akosua Ama Efua Adwoa Yaa Afia Esi Chidinma Ngozi Chioma Ifeoma Funmilayo Folake Temitope Yewande
        Titilayo Aisha Fatmata Mariama Isatu Kadiatu Blessing Grace Patience Comfort Mercy Adaeze Amarachi Oluchi
        Zainab Hawa Abimbola Bukola Damilola""",
        """Kwame Kofi Kojo Yaw Kwabena Kwaku Kwasi Emeka Chukwudi Obinna Ikenna Tunde Segun Babatunde Olumide Femi
        Ayodele Mohamed Ibrahim Alhaji Abdulai Lamin Emmanuel Samuel Prince Gideon Nana Chinedu Uchenna Adewale
        Oluwaseun Kingsley Godwin Sunday Ebenezer""",
    ),
    _origin(
        0.08,
        """Silva Santos Ferreira Pereira Costa Oliveira Rodrigues Martins Fernandes Goncalves Gomes Lopes Marques
        Almeida Ribeiro Pinto Carvalho Teixeira Moreira Correia Mendes Nunes Vieira Cardoso Freitas Garcia Martinez
        Lopez Gonzalez Sanchez Ramirez Gutierrez Restrepo Quispe Castillo Zambrano""",
        """Maria Ana Beatriz Carolina Joana Ines Mariana Leonor Sofia Catarina Teresa Rosa Fatima Isabel Luisa
        Gabriela Camila Valentina Daniela Paola Adriana Lucia Carmen Patricia Sandra Luciana Fernanda""",
        """Joao Jose Antonio Manuel Pedro Tiago Diogo Miguel Rui Nuno Goncalo Rafael Bruno Carlos Luis Fernando
        Ricardo Paulo Jorge Santiago Mateo Alejandro Diego Andres Javier Sebastian Thiago""",
    ),
    _origin(
        0.08,
        """Khan Ahmed Hussain Ali Begum Rahman Islam Miah Uddin Choudhury Patel Shah Singh Kaur Malik Iqbal Akhtar
        Mahmood Chowdhury Sheikh Qureshi Siddiqui Sharma Gupta Nair Pillai Perera-Nair Fernando Rajapaksa Sivakumar""",
        """Fatima Ayesha Nadia Samina Rukhsana Nasreen Shabana Farzana Priya Anjali Deepa Sunita Meera Sana Hira
        Zara Aaliya Maryam Khadija Sumaiya Tahmina Rabia Nusrat Shreya Kavita""",
        """Mohammed Muhammad Ahmed Omar Yusuf Bilal Hamza Imran Tariq Rashid Abdul Kamran Faisal Arjun Rahul Vikram
        Sanjay Rajesh Suresh Nadeem Zubair Haroon Shafiq Rohit Anil""",
    ),
    _origin(
        0.06,
        """Hassan Warsame Abdi Farah Jama Osman Ismail Yusuf Elmi Guled Duale Haile Tesfaye Gebremariam Kebede Bekele
        Tekle Berhane Habte Mebrahtu Abdullahi Abdul-Rahman Nur Omer Salih Elhassan""",
        """Hodan Ifrah Sagal Ayaan Hamdi Fadumo Amina Khadra Deqa Nimco Selam Hirut Tigist Meron Bethlehem Rahel
        Mahlet Senait Asmeret Yordanos Ikram Hibaq""",
        """Abdirahman Mohamud Liban Guled Mahad Ayanle Zakaria Abdikarim Hassan Dawit Yonas Abel Samson Henok Biniam
        Filmon Natnael Robel Khalid Idris Mustafa Said""",
    ),
    _origin(
        0.06,
        """Murphy Kelly O'Brien Ryan Byrne Doyle Gallagher Doherty Kennedy Lynch McCarthy Kowalski Nowak Wisniewski
        Wojcik Kaminski Lewandowski Zielinski Szymanski Dabrowski Popescu Ionescu Petrov Ivanov Kovacs Novak""",
        """Siobhan Aoife Niamh Ciara Sinead Roisin Orla Agnieszka Katarzyna Magdalena Zofia Zuzanna Oliwia Maja
        Elena Andreea Ioana Svetlana Petra Zsofia""",
        """Sean Declan Cormac Eamonn Brendan Padraig Finbar Piotr Krzysztof Tomasz Pawel Jakub Szymon Filip Wojciech
        Andrei Mihai Bogdan Stefan Milan""",
    ),
)

# Forename -> the short form its bearer goes by: long-established ones, which lists of variant names have. An unlisted
# one beside the same surname, birthday and address cannot be told from a twin, so its truth would be a guess.
SHORT_FORMS: dict[str, str] = dict(
    pair.split(":")
    for pair in [
        "William:Bill",
        "Robert:Bob",
        "Richard:Dick",
        "Elizabeth:Liz",
        "Margaret:Peggy",
        "Catherine:Kate",
        "Thomas:Tom",
        "James:Jim",
        "Joseph:Joe",
        "Samuel:Sam",
        "Benjamin:Ben",
        "Daniel:Dan",
        "Michael:Mike",
        "Andrew:Andy",
        "Stephen:Steve",
        "Christopher:Chris",
        "Anthony:Tony",
        "Matthew:Matt",
        "Edward:Ted",
        "Alexander:Alex",
        "Nicholas:Nick",
        "Jonathan:Jon",
        "Patrick:Paddy",
        "Rebecca:Becky",
        "Deborah:Debbie",
        "Jacqueline:Jackie",
        "Victoria:Vicky",
        "Alexandra:Alex",
        "Samantha:Sam",
        "Abigail:Abby",
        "Jessica:Jess",
        "Charlotte:Lottie",
        "Susan:Sue",
        "Harriet:Hattie",
        "Eleanor:Nell",
        "Matilda:Tilly",
        "Frederick:Fred",
        "Henry:Harry",
        "Joshua:Josh",
        "Jacob:Jake",
        "David:Dave",
        "Natasha:Tasha",
        "Mohammed:Mo",
        "Katarzyna:Kasia",
        "Isabelle:Izzy",
        "Theodore:Theo",
        "Olivia:Liv",
    ]
)

# Every name in use, so that a slip never turns one into another.
KNOWN: tuple[str, ...] = tuple(
    sorted({name for origin in ORIGINS for pool in (origin.surnames, origin.female, origin.male) for name in pool})
)

_STEEPNESS = 0.7  # Zipf exponent: the commonest surname is held by about one person in sixty


def _weights(size: int) -> NDArray[np.float64]:
    weight = 1.0 / np.arange(2, size + 2) ** _STEEPNESS
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def draw_origins(rng: np.random.Generator, size: int) -> Ints:
    """`size` positions in ORIGINS, by share."""
    return rng.choice(len(ORIGINS), size=size, p=[origin.share for origin in ORIGINS]).astype(np.int64)


def draw_surnames(rng: np.random.Generator, origins: Ints) -> Texts:
    """One surname per origin given."""
    return _draw(rng, origins, [origin.surnames for origin in ORIGINS])


def draw_forenames(rng: np.random.Generator, origins: Ints, female: NDArray[np.bool_]) -> Texts:
    """One forename per person, of the origin and gender given; one in eight is of the borough's commonest origin."""
    mixed = np.where(rng.random(origins.size) < 0.125, 0, origins)
    women = _draw(rng, mixed, [origin.female for origin in ORIGINS])
    men = _draw(rng, mixed, [origin.male for origin in ORIGINS])
    return np.where(female, women, men)


def _draw(rng: np.random.Generator, origins: Ints, pools: list[tuple[str, ...]]) -> Texts:
    drawn = np.empty(origins.size, dtype=object)
    uniform = rng.random(origins.size)
    for origin, pool in enumerate(pools):
        here = origins == origin
        steps = np.cumsum(_weights(len(pool)))
        drawn[here] = np.array(pool, dtype=object)[np.searchsorted(steps, uniform[here]).clip(0, len(pool) - 1)]
    return drawn
